//! NIP-05 names: their form, and how Portico fetches the document of a name from its host.

use nostr_sdk::nips::nip05::Nip05Address;

use crate::address;
use crate::outbound::{Answer, Outbound, OutboundError, OutboundRequest};

/// The longest name including its host, in bytes.
const MAX_NAME: usize = 320;

/// A name at a host. The local part is in lower case, because NIP-05 ignores case there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) local: String,
    pub(crate) address: Nip05Address,
}

impl Name {
    /// Accepts a name and a host, and nothing else: the URL cannot lead to another path of that host, and callers see
    /// exactly the name that was verified.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (local, host) = match name.split_once('@') {
            Some(parts) => parts,
            // A domain alone is its own name; a word without a dot is half an address.
            None if name.contains(['.', '[']) => ("_", name),
            None => return None,
        };
        let is_host = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c))
        };
        let is_plain = name.len() <= MAX_NAME && is_local(local) && is_host(host);
        let local = local.to_ascii_lowercase();
        let address = is_plain.then(|| Nip05Address::parse(&format!("{local}@{host}")).ok()).flatten()?;
        Some(Self { local, address })
    }
}

/// Whether a local part has only allowed characters, in any case.
pub(crate) fn is_local(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Checks that wallets can show a name of the service: `name@host`, or the host alone for `_@host`. Wallets compare
/// names letter by letter, so it must be in the form that NIP-05 requires.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_own(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "must be a name like shop@app.example, or a host like app.example";

    let (name, host) = text.split_once('@').unwrap_or(("_", text));
    if name.is_empty() || host.is_empty() || host.contains(['@', '/', '?', '#', '\\', ' ']) {
        return Err(FORM);
    }
    if !is_local(name) || name.contains(|c: char| c.is_ascii_uppercase()) {
        return Err("may contain only a-z, 0-9, '-', '_' and '.' before the @");
    }
    let address = Nip05Address::parse(text).map_err(|_| FORM)?;
    if address.url().host_str().is_some_and(|found| host.split(':').next() == Some(found)) {
        return Ok(());
    }
    // An IPv6 address has colons of its own; anything else was changed by the parser: upper case, umlauts.
    if host.starts_with('[') {
        Ok(())
    } else {
        Err("must have its host in lower case and in DNS form (xn--…)")
    }
}

/// Why a host gave no document, for the operator.
pub(crate) fn reason(error: &OutboundError) -> String {
    match error {
        OutboundError::Private => "Portico did not ask it, because its address is private (allowed with lookup.allow_private = true)".into(),
        error => error.to_string(),
    }
}

/// The largest document that Portico reads, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 256 * 1024;

/// Fetches the document of a name from its host, over HTTPS. If private addresses are allowed, a loopback address is
/// asked over plain HTTP.
///
/// # Errors
/// The host sent no answer, or one that is too large.
pub(crate) async fn fetch(http: &Outbound, name: &Nip05Address) -> Result<Answer, OutboundError> {
    let mut url = name.url().clone();
    if http.allows_private() && address::literal(&url).is_some_and(|ip| ip.is_loopback()) {
        let _ = url.set_scheme("http");
    }
    http.send(OutboundRequest::get(url), MAX_DOCUMENT).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_name_at_a_host() {
        for name in
            ["alice@example.com", "_@example.com", "example.com", "a.b-c_d@[::1]:8080", "bob@intranet"]
        {
            assert!(Name::parse(name).is_some(), "{name}");
        }
        assert_eq!(Name::parse("Bob@example.com"), Name::parse("bob@example.com"));
        assert!(Name::parse("BOB@example.com").unwrap().address.url().as_str().ends_with("?name=bob"));
    }

    #[test]
    fn a_hostile_profile_cannot_choose_what_is_fetched_from_a_host_nor_look_like_another_name() {
        for name in [
            "",
            "@",
            "bob",
            "alice@",
            "@example.com",
            "alice@example.com/admin?x=",
            "alice@example.com#",
            "alice@bob@example.com",
            "alice@example.com@evil.example",
            "alice&name=bob@example.com",
            "al ice@example.com",
            "alice@exa\nmple.com",
            "аlice@example.com",
        ] {
            assert!(Name::parse(name).is_none(), "{name:?}");
        }
        assert!(Name::parse(&format!("{}@example.com", "a".repeat(320))).is_none());
    }
}
