//! The information document of a relay (NIP-11).

use std::collections::HashMap;
use std::time::Duration;

use hyper::header::{ACCEPT, HeaderValue};
use nostr_sdk::prelude::{RelayUrl, Url};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::outbound::{NamedBy, OutboundError, OutboundRequest, Reach, UNCOMPRESSED, WebClient, compression};
use crate::relay::listen::shortened;
use crate::tls::Tls;

/// The largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 64 * 1024;

/// Larger numbers with a decimal point are not exact.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The fields of a relay's information document that matter here. They are the relay's own statements.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Information {
    /// The name of the relay.
    pub name: Option<String>,
    /// The software and its version.
    pub software: Option<String>,
    /// The number of subscriptions on one connection. One is enough here.
    pub max_subscriptions: Option<u64>,
    /// The largest message that it accepts, in bytes. Our largest messages have about 4 KiB.
    pub max_message_length: Option<u64>,
    /// How much older than now an event may be, in seconds.
    pub created_at_lower_limit: Option<u64>,
    /// Whether it asks for a login (NIP-42). Portico logs in.
    pub auth_required: bool,
    /// Whether publishing costs money: then wallets must have paid.
    pub payment_required: bool,
    /// The proof of work that it asks for (NIP-13), in bits. Portico does none.
    pub min_pow_difficulty: Option<u64>,
}

/// The fields of an object, not parsed yet, so that one bad field does not affect the others.
type Fields<'a> = HashMap<String, &'a RawValue>;

/// Why there is no information.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InformationError {
    /// The relay could not be reached.
    #[error("the relay could not be reached")]
    NotReached,
    /// The relay has no document, or does not return it.
    #[error("the relay returned no information document (NIP-11)")]
    Unavailable,
    /// The document is larger than this, in bytes.
    #[error("the information document (NIP-11) is larger than {0} bytes")]
    TooLarge(usize),
    /// The document is compressed in this way, although Portico asked for none.
    #[error("the information document (NIP-11) is compressed ({0}), although Portico asked for identity")]
    Compressed(String),
    /// The document is malformed.
    #[error("the information document (NIP-11) is malformed")]
    Malformed,
}

/// Asks the relay at the same address over HTTP.
pub(super) async fn fetch(
    relay: &RelayUrl,
    patience: Duration,
    tls: &Tls,
) -> Result<Information, InformationError> {
    let mut url = Url::from(relay.clone());
    let scheme = if url.scheme() == "wss" { "https" } else { "http" };
    url.set_scheme(scheme).map_err(|()| InformationError::Unavailable)?;
    let http = WebClient::new(tls, patience, Reach::Anywhere, NamedBy::Operator);
    let (name, identity) = UNCOMPRESSED;
    let asked = OutboundRequest::get(url)
        .header(ACCEPT, HeaderValue::from_static("application/nostr+json"))
        .header(name, identity);
    let answer = http.send(asked).await.map_err(|_| InformationError::Unavailable)?;
    if answer.status.is_client_error() || answer.status.is_server_error() {
        return Err(InformationError::Unavailable);
    }
    if let Some(coding) = compression(&answer.headers) {
        return Err(InformationError::Compressed(coding));
    }
    let document = answer.read(MAX_DOCUMENT).await.map_err(|error| match error {
        OutboundError::TooLarge(max) => InformationError::TooLarge(max),
        _ => InformationError::Unavailable,
    })?;
    read(&document).ok_or(InformationError::Malformed)
}

/// Reads each field on its own: an unreadable one does not affect the others.
fn read(document: &[u8]) -> Option<Information> {
    let text = String::from_utf8_lossy(document);
    let document: Fields<'_> = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    let limits = document.get("limitation").and_then(|limits| serde_json::from_str(limits.get()).ok());
    let limits: Fields<'_> = limits.unwrap_or_default();
    let software: Vec<_> =
        ["software", "version"].iter().filter_map(|key| words(value(&document, key))).collect();
    let number = |key| number(value(&limits, key).as_ref());
    let yes = |key| yes(value(&limits, key).as_ref());
    Some(Information {
        name: words(value(&document, "name")).map(|name| shortened(&name)),
        software: (!software.is_empty()).then(|| shortened(&software.join(" "))),
        max_subscriptions: number("max_subscriptions"),
        max_message_length: number("max_message_length"),
        created_at_lower_limit: number("created_at_lower_limit"),
        auth_required: yes("auth_required"),
        payment_required: yes("payment_required"),
        min_pow_difficulty: number("min_pow_difficulty").filter(|bits| *bits > 0),
    })
}

/// The value of a field, if it can be read.
fn value(fields: &Fields<'_>, key: &str) -> Option<Value> {
    serde_json::from_str(fields.get(key)?.get()).ok()
}

fn words(value: Option<Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A non-negative integer, in any notation.
fn number(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    let text = value.as_str().and_then(|text| text.trim().parse().ok());
    let whole = |number: &f64| number.fract() == 0.0 && (0.0..=MAX_EXACT).contains(number);
    value.as_u64().or(text).or_else(|| value.as_f64().filter(whole).map(|number| number as u64))
}

fn yes(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(yes)) => *yes,
        Some(Value::String(text)) => text.trim().eq_ignore_ascii_case("true"),
        other => number(other) == Some(1),
    }
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
    fn what_can_be_read_is_read_whatever_stands_beside_it() {
        let limits =
            |limits: &str| read(format!(r#"{{"name":"r","limitation":{limits}}}"#).as_bytes()).unwrap();
        for (text, expected) in [
            (r#"{"max_message_length":65536.0}"#, Some(65_536)),
            (r#"{"max_message_length":"65536"}"#, Some(65_536)),
            (r#"{"max_message_length":6.5536e4,"max_subscriptions":[]}"#, Some(65_536)),
            (r#"{"max_message_length":99999999999}"#, Some(99_999_999_999)),
            (r#"{"max_message_length":-1}"#, None),
            (r#"{"max_message_length":0.5}"#, None),
            (r#"{"max_message_length":1e300}"#, None),
            (r#"{"max_message_length":null}"#, None),
            ("[]", None),
            ("null", None),
        ] {
            let found = limits(text);
            assert_eq!((found.name.as_deref(), found.max_message_length), (Some("r"), expected), "{text}");
        }
        assert!(limits(r#"{"auth_required":"true","payment_required":1}"#).auth_required);
        assert!(!limits(r#"{"auth_required":"no","payment_required":null}"#).auth_required);
        for document in [
            &br#"{"name":"r","supported_nips":["1",11],"limitation":{"max_subscriptions":20}}"#[..],
            br#"{"name":"r","supported_nips":{},"fees":7,"pubkey":[],"limitation":{"max_subscriptions":"20"}}"#,
            b"\xef\xbb\xbf{\"name\":\"r\",\"description\":\"\xff\",\"limitation\":{\"max_subscriptions\":20}}",
            br#"{"name":"r","software":["x"],"version":null,"limitation":{"max_subscriptions":20}}"#,
        ] {
            let found = read(document).unwrap();
            assert_eq!((found.name.as_deref(), found.max_subscriptions), (Some("r"), Some(20)));
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for foreign in [&deep, r#""\ud800""#, "1e400", r#"{"a":1e999}"#] {
            for document in [
                format!(
                    r#"{{"x":{foreign},"name":"r","limitation":{{"max_subscriptions":20,"x":{foreign}}}}}"#
                ),
                format!(r#"{{"name":"r","limitation":{{"max_subscriptions":20}},"software":{foreign}}}"#),
            ] {
                let found = read(document.as_bytes()).unwrap();
                assert_eq!(
                    (found.name.as_deref(), found.max_subscriptions),
                    (Some("r"), Some(20)),
                    "{document}"
                );
            }
        }
        assert_eq!(read(br#"{"software":"x","version":2}"#).unwrap().software.as_deref(), Some("x 2"));
    }

    #[test]
    fn a_hostile_document_cannot_write_to_the_operators_terminal() {
        let document = br#"{"name":"\u001b[2Jgone\n","software":"x\u0007"}"#;
        let information = read(document).unwrap();
        assert_eq!(information.name.as_deref(), Some("[2Jgone"));
        assert_eq!(information.software.as_deref(), Some("x"));
    }
}
