//! Asks hosts for NIP-05 names, reads their documents leniently, and reports why a look-up failed.

use std::time::Duration;

use hyper::StatusCode;
use nostr_sdk::{PublicKey, RelayUrl};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use url::Url;

use crate::config::LookupRules;
use crate::nip05::{self, MAX_DOCUMENT, Name};
use crate::outbound::{NamedBy, Outbound, OutboundError};
use crate::portal_token::is_curve_point;
use crate::tls::Tls;

/// How many look-ups run at the same time; more wait.
const MAX_LOOKUPS: usize = 64;

/// How many relays of a document are returned; the first ones count.
const MAX_RELAYS: usize = 16;

/// Why the key of a name is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nip05Error {
    /// It does not have the form of a name.
    #[error("{0} is not a NIP-05 name like user@example.com")]
    NotAName(String),
    /// The host does not list the name.
    #[error("the host does not list this name")]
    Unknown,
    /// The host cannot be reached, or fails.
    #[error("the host cannot be reached: {0}")]
    Unreachable(String),
    /// The host did not answer in time.
    #[error("the host did not answer within lookup.timeout")]
    TimedOut,
    /// The host's document is too large.
    #[error("the host's nostr.json is larger than {MAX_DOCUMENT} bytes")]
    TooLarge,
    /// The host's answer is not a NIP-05 document, or has no key for the name.
    #[error("the host's nostr.json is malformed: {0}")]
    Malformed(&'static str),
}

impl From<OutboundError> for Nip05Error {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::TooLarge(_) => Self::TooLarge,
            OutboundError::TimedOut => Self::TimedOut,
            error => Self::Unreachable(nip05::reason(&error)),
        }
    }
}

/// The key of a name, and its relays.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) public_key: PublicKey,
    pub(super) relays: Vec<RelayUrl>,
}

/// Asks hosts.
#[derive(Debug)]
pub(super) struct Hosts {
    timeout: Duration,
    http: Outbound,
    places: Semaphore,
}

impl Hosts {
    pub(super) fn new(rules: &LookupRules, tls: &Tls) -> Self {
        let LookupRules { timeout, allow_private, .. } = *rules;
        let http = Outbound::to_servers_named_by(NamedBy::Strangers, timeout, allow_private, tls);
        let places = Semaphore::new(MAX_LOOKUPS);
        Self { timeout, http, places }
    }

    /// Looks up the key of a name.
    pub(super) async fn find(&self, name: &Name) -> Result<Found, Nip05Error> {
        let asked = tokio::time::timeout(self.timeout, self.document(name)).await;
        read(&asked.map_err(|_| Nip05Error::TimedOut)??, &name.local)
    }

    async fn document(&self, name: &Name) -> Result<Vec<u8>, Nip05Error> {
        let _place = self.places.acquire().await.map_err(|_| Nip05Error::TimedOut)?;
        let answer = nip05::fetch(&self.http, &name.address).await?;
        match answer.status {
            status if status.is_success() => Ok(answer.body),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(Nip05Error::Unknown),
            status => Err(Nip05Error::Unreachable(format!("it answers with {}", status.as_u16()))),
        }
    }
}

/// The entry of a name in a document. Mistakes in other entries, or in relays, do not matter.
fn read(document: &[u8], local: &str) -> Result<Found, Nip05Error> {
    let malformed = Nip05Error::Malformed;
    let document: Value = serde_json::from_slice(document).map_err(|_| malformed("it is not JSON"))?;
    let names = document.get("names").and_then(Value::as_object).ok_or(malformed("it has no names"))?;
    let key = entry(names, local).ok_or(Nip05Error::Unknown)?;
    let public_key = key
        .as_str()
        .and_then(|hex| PublicKey::from_hex(hex).ok())
        .filter(|key| is_curve_point(key.as_bytes()));
    let public_key = public_key.ok_or(malformed("the name's key is not a public key in hex"))?;
    let relays = document.get("relays").and_then(Value::as_object);
    let relays = relays.and_then(|relays| entry(relays, &public_key.to_hex())).and_then(Value::as_array);
    let listed = relays.into_iter().flatten().filter_map(|url| relay(url.as_str()?));
    let mut relays = Vec::new();
    for url in listed {
        if relays.len() < MAX_RELAYS && !relays.contains(&url) {
            relays.push(url);
        }
    }
    Ok(Found { public_key, relays })
}

/// The entry with this name in any case; one with the exact spelling takes precedence.
fn entry<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let spelt_differently = || object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    object.get(name).or_else(|| spelt_differently().map(|(_, value)| value))
}

/// A relay that wallets can use. Other entries of the list are ignored.
fn relay(url: &str) -> Option<RelayUrl> {
    let is_plain = Url::parse(url).is_ok_and(|url| url.username().is_empty() && url.password().is_none());
    RelayUrl::parse(url).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";
    const OTHER: &str = "32e1827635450ebb3c5a7d12c1f8e7b2b514439ac10a67eef3d9fd9c5c68e245";

    fn find(document: &Value, local: &str) -> Result<Found, Nip05Error> {
        read(document.to_string().as_bytes(), local)
    }

    fn key_of(document: &Value, local: &str) -> Option<String> {
        find(document, local).ok().map(|found| found.public_key.to_hex())
    }

    #[test]
    fn a_name_is_found_however_its_host_spells_it() {
        for known in ["bob", "Bob", "BOB"] {
            assert_eq!(key_of(&json!({ "names": { known: KEY } }), "bob").as_deref(), Some(KEY), "{known}");
        }
        let both = json!({ "names": { "Bob": OTHER, "bob": KEY } });
        assert_eq!(key_of(&both, "bob").as_deref(), Some(KEY), "the proper spelling goes first");
        assert_eq!(find(&both, "alice"), Err(Nip05Error::Unknown));
    }

    #[test]
    fn what_a_host_says_badly_about_others_or_about_relays_does_no_harm() {
        let document = json!({
            "names": { "bob": KEY, "eve": 7, "mallory": "xx" },
            "relays": { KEY.to_uppercase(): [
                "wss://a.example", "", 7, null, "https://b.example", "wss://user:secret@c.example", "wss://d.example"
            ] },
        });
        let relays: Vec<_> = find(&document, "bob").unwrap().relays.iter().map(ToString::to_string).collect();
        assert_eq!(relays, ["wss://a.example", "wss://d.example"]);
        for relays in [json!(null), json!([]), json!({ KEY: "wss://a.example" }), json!({ OTHER: [] })] {
            let document = json!({ "names": { "bob": KEY }, "relays": relays });
            assert!(find(&document, "bob").unwrap().relays.is_empty(), "{document}");
        }
    }

    #[test]
    fn a_document_with_many_relays_gives_the_first_ones_and_each_once() {
        let many: Vec<String> = (0..1_000).map(|at| format!("wss://{}.example", at / 2)).collect();
        let document = json!({ "names": { "bob": KEY }, "relays": { KEY: many } });
        let relays: Vec<_> = find(&document, "bob").unwrap().relays.iter().map(ToString::to_string).collect();
        let expected: Vec<_> = (0..MAX_RELAYS).map(|at| format!("wss://{at}.example")).collect();
        assert_eq!(relays, expected);
    }

    #[test]
    fn what_is_no_document_of_names_is_told_from_a_name_that_is_not_in_it() {
        let off_the_curve = "f".repeat(64);
        for document in [
            json!([]),
            json!({}),
            json!({ "names": [] }),
            json!({ "names": { "bob": null } }),
            json!({ "names": { "bob": "npub1x" } }),
            json!({ "names": { "bob": off_the_curve } }),
        ] {
            assert!(matches!(find(&document, "bob"), Err(Nip05Error::Malformed(_))), "{document}");
        }
        assert!(matches!(read(b"<html>", "bob"), Err(Nip05Error::Malformed(_))));
        assert_eq!(find(&json!({ "names": {} }), "bob"), Err(Nip05Error::Unknown));
    }
}
