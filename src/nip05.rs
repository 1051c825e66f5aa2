//! NIP-05 names: what they may look like, and the document that the host of a name has of it.

use nostr_sdk::nips::nip05::Nip05Address;

use crate::address;
use crate::outbound::{Answer, Outbound, OutboundError};

/// The longest name with its host, in bytes.
const MAX_NAME: usize = 320;

/// A name at a host. The local part is in lower case: NIP-05 ignores case there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) local: String,
    pub(crate) address: Nip05Address,
}

impl Name {
    /// A name and a host, and nothing else: the URL that is made of them leads to no other path of that host,
    /// and what is shown for verified is what was verified.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (local, host) = match name.split_once('@') {
            Some(parts) => parts,
            // A domain alone is its own name; a word without a dot is half an address.
            None if name.contains(['.', '[']) => ("_", name),
            None => return None,
        };
        let consists_of = |text: &str, others: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        let is_plain = name.len() <= MAX_NAME && consists_of(local, "-_.") && consists_of(host, "-.:[]");
        let local = local.to_ascii_lowercase();
        let address = is_plain.then(|| Nip05Address::parse(&format!("{local}@{host}")).ok()).flatten()?;
        Some(Self { local, address })
    }
}

/// Why a host gave no document, in words for whoever runs this daemon.
pub(crate) fn reason(error: &OutboundError) -> String {
    match error {
        OutboundError::Private => "its address is private: lookup.allow_private".into(),
        error => error.in_full(),
    }
}

/// The largest document that is read, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 256 * 1024;

/// Asks the host of a name for its document, over HTTPS. Only where private addresses are allowed, a loopback address
/// is asked over plain HTTP.
///
/// # Errors
/// The host sent no answer, or one that is too large.
pub(crate) async fn fetch(http: &Outbound, name: &Nip05Address) -> Result<Answer, OutboundError> {
    let mut url = name.url().clone();
    if http.allows_private() && address::literal(&url).is_some_and(|ip| ip.is_loopback()) {
        let _ = url.set_scheme("http");
    }
    http.send(http.client().get(url).build()?, MAX_DOCUMENT).await
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
