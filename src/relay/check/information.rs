//! What a relay tells of itself (NIP-11).

use std::time::Duration;

use nostr_sdk::nips::nip11::RelayInformationDocument;
use nostr_sdk::prelude::{RelayUrl, Url};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::redirect;
use serde::Serialize;

use crate::relay::listen::shortened;

/// The largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 64 * 1024;

/// What matters here of a relay's information document. It is what the relay says, and nothing more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Information {
    /// Its name.
    pub name: Option<String>,
    /// What it runs, with the version.
    pub software: Option<String>,
    /// Subscriptions on one connection. One is enough here.
    pub max_subscriptions: Option<i32>,
    /// The largest message that it reads, in bytes. The largest of ours have about 4 KiB.
    pub max_message_length: Option<i32>,
    /// How much older than now an event may be, in seconds.
    pub created_at_lower_limit: Option<u64>,
    /// It wants a login (NIP-42), which it gets.
    pub auth_required: bool,
    /// It wants to be paid by whoever publishes: wallets have to have paid.
    pub payment_required: bool,
    /// The proof of work that it wants (NIP-13), in bits. None is done here.
    pub min_pow_difficulty: Option<i32>,
}

/// Why there is no information.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InformationError {
    /// There is no relay to ask.
    #[error("it could not be reached")]
    NotReached,
    /// It has none, or does not give it.
    #[error("it gives no information document (NIP-11)")]
    Unavailable,
    /// The document is no such document, or larger than 64 KiB.
    #[error("its information document (NIP-11) is malformed")]
    Malformed,
}

/// Asks the relay at the same address over HTTP.
pub(super) async fn fetch(relay: &RelayUrl, patience: Duration) -> Result<Information, InformationError> {
    let unavailable = |_| InformationError::Unavailable;
    let mut url = Url::from(relay.clone());
    let scheme = if url.scheme() == "wss" { "https" } else { "http" };
    url.set_scheme(scheme).map_err(|()| InformationError::Unavailable)?;
    let http = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(patience)
        .no_proxy()
        .user_agent(concat!("portico/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(unavailable)?;
    let asked = http.get(url).header(ACCEPT, HeaderValue::from_static("application/nostr+json"));
    let answer = asked.send().await.and_then(reqwest::Response::error_for_status);
    let mut answer = answer.map_err(unavailable)?;
    let mut document = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
        if document.len() + chunk.len() > MAX_DOCUMENT {
            return Err(InformationError::Malformed);
        }
        document.extend_from_slice(&chunk);
    }
    read(&document).ok_or(InformationError::Malformed)
}

fn read(document: &[u8]) -> Option<Information> {
    let document: RelayInformationDocument = serde_json::from_slice(document).ok()?;
    let limits = document.limitation.unwrap_or_default();
    let software = [document.software, document.version].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Some(Information {
        name: document.name.map(|name| shortened(&name)),
        software: (!software.is_empty()).then(|| shortened(&software)),
        max_subscriptions: limits.max_subscriptions,
        max_message_length: limits.max_message_length,
        created_at_lower_limit: limits.created_at_lower_limit.map(|limit| limit.as_secs()),
        auth_required: limits.auth_required.unwrap_or(false),
        payment_required: limits.payment_required.unwrap_or(false),
        min_pow_difficulty: limits.min_pow_difficulty.filter(|bits| *bits > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_what_a_relay_allows() {
        let document = br#"{"name":"r","software":"strfry","version":"1.0.4","supported_nips":[1,11,42],
            "limitation":{"max_subscriptions":20,"max_message_length":131072,"auth_required":true}}"#;
        let expected = Information {
            name: Some("r".into()),
            software: Some("strfry 1.0.4".into()),
            max_subscriptions: Some(20),
            max_message_length: Some(131_072),
            auth_required: true,
            ..Information::default()
        };
        assert_eq!(read(document), Some(expected));
        assert_eq!(read(b"{}"), Some(Information::default()));
        assert_eq!(read(b"<html>"), None);
    }

    #[test]
    fn a_hostile_document_cannot_write_to_the_operators_terminal() {
        let document = br#"{"name":"\u001b[2Jgone\n","software":"x\u0007"}"#;
        let information = read(document).unwrap();
        assert_eq!(information.name.as_deref(), Some("[2Jgone"));
        assert_eq!(information.software.as_deref(), Some("x"));
    }
}
