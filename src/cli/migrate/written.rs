//! The text of Portico's files for a configuration of Portal's daemon. Pure.

use std::fmt::Write;

use nostr_sdk::{Keys, ToBech32};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::config::files::MIN_SECRET;
use crate::config::{PORTAL_PORT, PortalSettings, ProfileRules};
use crate::protocol::SubkeyProof;

/// The token of Portal's example, which everybody knows.
const EXAMPLE_TOKEN: &str = "your-auth-token";

/// The text of each file.
pub(super) struct Written {
    /// `portico.toml`; it may contain secrets.
    pub(super) config: Zeroizing<String>,
    /// `relays.toml`.
    pub(super) relays: Option<String>,
    /// `service.key`.
    pub(super) key: Zeroizing<String>,
    /// `proof.json`.
    pub(super) proof: Option<String>,
    /// The settings that were not converted: the key, and the reason.
    pub(super) left_out: Vec<(String, String)>,
}

/// The reason why the configuration cannot be converted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// There is no key.
    #[error(
        "nostr.private_key is missing: without it Portico would be another service (you can also set \
         PORTAL__NOSTR__PRIVATE_KEY)"
    )]
    NoKey,
    /// The key is malformed.
    #[error("nostr.private_key must be nsec1… or 64 hex digits")]
    MalformedKey,
    /// The proof is malformed.
    #[error("nostr.subkey_proof is not a proof of a subkey")]
    MalformedProof,
}

/// Converts Portal's settings to Portico's. `from` names their source.
pub(super) fn write(portal: &PortalSettings, from: &str) -> Result<Written, Unusable> {
    let key = portal.private_key.as_ref().ok_or(Unusable::NoKey)?;
    let keys = Keys::parse(key.expose_secret().trim()).map_err(|_| Unusable::MalformedKey)?;
    let Ok(nsec) = keys.secret_key().to_bech32();
    let proof = portal.subkey_proof.clone();
    if proof.as_ref().is_some_and(|proof| serde_json::from_str::<SubkeyProof>(proof).is_err()) {
        return Err(Unusable::MalformedProof);
    }
    let mut left_out = LeftOut::default();
    let relays = portal.relays.as_ref().map(|relays| relay_list(relays, &mut left_out));

    let mut text = Zeroizing::new(format!("# Written by `portico migrate-from-portal` from {from}.\n"));
    if relays.is_some() {
        text.push_str("relays_file = \"relays.toml\"\n");
    }
    text.push_str("\n[service]\nkey_file = \"service.key\"\n");
    if proof.is_some() {
        text.push_str("subkey_proof_file = \"proof.json\"\n");
    }
    local(portal, &mut text, &mut left_out);
    profile(&portal.profile, &mut text, &mut left_out);
    webhook(portal, &mut text, &mut left_out);
    log(portal, &mut text, &mut left_out);
    for key in &portal.others {
        left_out.add(key, why_not(key));
    }
    Ok(Written { config: text, relays, key: Zeroizing::new(nsec), proof, left_out: left_out.0 })
}

#[derive(Default)]
struct LeftOut(Vec<(String, String)>);

impl LeftOut {
    fn add(&mut self, key: &str, reason: impl Into<String>) {
        self.0.push((key.to_owned(), reason.into()));
    }
}

fn relay_list(relays: &[String], left_out: &mut LeftOut) -> String {
    let mut text = String::from("# The relays that login URLs name; `portico relays check` tries them.\n");
    let mut known = Vec::new();
    for relay in relays {
        match crate::config::relay_url(relay) {
            Ok(url) if known.contains(&url) => {}
            Ok(url) => {
                let _ = write!(text, "\n[[relay]]\nurl = {}\n", quoted(url.as_str()));
                known.push(url);
            }
            Err(error) => left_out.add("nostr.relays", error.to_string()),
        }
    }
    text
}

fn local(portal: &PortalSettings, text: &mut String, left_out: &mut LeftOut) {
    let port = portal.listen_port.unwrap_or(PORTAL_PORT);
    let _ = write!(
        text,
        "\n[local]\nlisten = \"127.0.0.1:{port}\"\n\
         # Portal's daemon listens on every address. For an app in another container or on another machine:\n\
         # listen = \"0.0.0.0:{port}\"\n# allow_remote = true\n\
         # … and the name by which it calls this daemon, else it gets 403:\n\
         # allowed_hosts = [\"sdk-daemon\"]\n\
         # Web pages that call this port, else they get 403:\n\
         # allowed_origins = [\"https://app.example\"]\n"
    );
    match portal.auth_token.as_ref().map(|token| token.expose_secret().trim()) {
        None => left_out.add(
            "auth.auth_token",
            "it is missing; Portico makes a token at its first start, and logs its file",
        ),
        Some(EXAMPLE_TOKEN) => {
            left_out.add(
                "auth.auth_token",
                "it is the token of Portal's example; Portico makes a token at its first start, and logs its file",
            );
        }
        Some(token) => {
            let _ = writeln!(text, "token = {}", quoted(token));
        }
    }
}

fn profile(profile: &ProfileRules, text: &mut String, left_out: &mut LeftOut) {
    let mut lines = String::new();
    let (kept, wrong) = profile.clone().keep_what_fits();
    let ProfileRules { name, display_name, picture, nip05 } = kept;
    for (key, value) in
        [("name", &name), ("display_name", &display_name), ("picture", &picture), ("nip05", &nip05)]
    {
        if let Some(value) = value {
            let _ = writeln!(lines, "{key} = {}", quoted(value));
        }
    }
    wrong.into_iter().for_each(|(key, reason)| left_out.add(&key, reason));
    if !lines.is_empty() {
        let _ = write!(text, "\n[profile]\n{lines}");
    }
    if nip05.is_some_and(|name| name.ends_with("@getportal.cc")) {
        left_out.add(
            "the registration of profile.nip05 at getportal.cc",
            "Portico registers no names; a name that Portal's daemon registered stays",
        );
    }
}

fn webhook(portal: &PortalSettings, text: &mut String, left_out: &mut LeftOut) {
    let secret = portal.webhook_secret.as_ref().map(|secret| secret.expose_secret());
    match (&portal.webhook_url, secret, portal.webhook_fault()) {
        (Some(url), Some(secret), None) => {
            let _ = write!(text, "\n[webhook]\nurl = {}\nsecret = {}\n", quoted(url), quoted(secret));
        }
        (Some(url), _, Some((key, reason))) => {
            // A URL that Portico rejects may contain a password: it is not copied.
            let url = if portal.webhook_url_fits() { url.clone() } else { "…".to_owned() };
            let _ = write!(
                text,
                "\n[webhook]\n# url = {}\n# secret = \"…\"                # at least {MIN_SECRET} bytes; your program checks signatures with it\n",
                quoted(&url)
            );
            left_out.add("webhook.url", format!("{key} {reason}"));
        }
        (None, _, Some((key, reason))) => left_out.add("webhook.secret", format!("{key} {reason}")),
        (_, _, None) => {}
    }
}

fn log(portal: &PortalSettings, text: &mut String, left_out: &mut LeftOut) {
    match portal.log_filter.as_deref() {
        None | Some("info") => {}
        Some(level @ ("error" | "warn" | "debug" | "trace" | "off")) => {
            let _ = write!(text, "\n[log]\nlevel = {}\n", quoted(level));
        }
        Some(_) => left_out.add("logging.filter", "it names modules of Portal's daemon: set log.level"),
    }
}

/// The reason why a setting has no counterpart.
fn why_not(key: &str) -> &'static str {
    match key.split('.').next() {
        Some("wallet") => "payments are not part of Portico",
        Some("database") => {
            "Portico has its own database (data_dir); open requests in the old one have ended"
        }
        _ => "Portico does not know it",
    }
}

/// Text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portal() -> PortalSettings {
        PortalSettings { private_key: Some("1b".repeat(32).into()), ..PortalSettings::default() }
    }

    fn written(portal: &PortalSettings) -> Written {
        write(portal, "config.toml").unwrap()
    }

    fn left_out(portal: &PortalSettings) -> Vec<String> {
        written(portal).left_out.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_key_is_needed_and_a_bad_one_is_not_repeated() {
        assert!(matches!(write(&PortalSettings::default(), "x"), Err(Unusable::NoKey)));
        let bad = PortalSettings {
            private_key: Some("your-nostr-private-key".into()),
            ..PortalSettings::default()
        };
        let error = write(&bad, "x").err().unwrap().to_string();
        assert!(error.contains("nostr.private_key") && !error.contains("your-nostr"), "{error}");
        assert!(written(&portal()).key.starts_with("nsec1"));
    }

    #[test]
    fn what_cannot_be_taken_over_is_named() {
        let full = PortalSettings {
            auth_token: Some("your-auth-token".into()),
            relays: Some(vec!["wss://a.example".into(), "a.example".into()]),
            webhook_url: Some("https://a.example/hook".into()),
            webhook_secret: Some("short".into()),
            profile: ProfileRules { picture: Some("logo.png".into()), ..ProfileRules::default() },
            log_filter: Some("portal_rest=debug".into()),
            others: vec!["wallet.ln_backend".into()],
            ..portal()
        };
        assert_eq!(
            left_out(&full),
            [
                "nostr.relays",
                "auth.auth_token",
                "profile.picture",
                "webhook.url",
                "logging.filter",
                "wallet.ln_backend"
            ]
        );
        assert!(!written(&full).config.contains("short"));
    }

    #[test]
    fn text_is_quoted_so_that_no_value_becomes_a_key() {
        let name = "a\"\n[local]\ntoken = \"x";
        let token = PortalSettings { auth_token: Some(name.into()), ..portal() };
        let table: toml::Table = toml::from_str(&written(&token).config).unwrap();
        assert_eq!(table["local"]["token"].as_str(), Some(name));
    }
}
