//! Requests that a Nostr key signs (NIP-98).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr_sdk::{EventBuilder, JsonUtil, Keys, Kind, Tag, Timestamp};
use sha2::{Digest, Sha256};

/// The value of the `Authorization` header for this request, signed at this time.
pub(crate) fn at(secs: u64, keys: &Keys, method: &str, url: &str, body: Option<&[u8]>) -> String {
    let mut tags = vec![tag("u", url), tag("method", method)];
    tags.extend(body.map(|body| tag("payload", &hex::encode(Sha256::digest(body)))));
    // No two are the same, though they be signed in the same second.
    tags.push(tag("nonce", &rand::random::<u64>().to_string()));
    with(secs, keys, 27235, tags)
}

/// The same, signed now.
pub(crate) fn now(keys: &Keys, method: &str, url: &str, body: Option<&[u8]>) -> String {
    at(super::now(), keys, method, url, body)
}

/// An event of any kind with any tags, as the value of that header.
pub(crate) fn with(secs: u64, keys: &Keys, kind: u16, tags: Vec<Tag>) -> String {
    let event =
        EventBuilder::new(Kind::Custom(kind), "").tags(tags).custom_created_at(Timestamp::from_secs(secs));
    format!("Nostr {}", STANDARD.encode(event.sign_with_keys(keys).unwrap().as_json()))
}

/// A tag of one value.
pub(crate) fn tag(name: &str, value: &str) -> Tag {
    Tag::parse([name, value]).unwrap()
}
