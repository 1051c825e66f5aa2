//! Verifies a request that a Nostr key signed (NIP-98). Pure.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr_sdk::{Event, Kind, PublicKey};

use super::Nip98Error;
use crate::clock::Timestamp;
use crate::wallet::WebRequest;

/// HTTP Auth.
const KIND: Kind = Kind::Custom(27235);

/// The longest header that is read, in bytes: the usual limit of web servers.
const MAX_BYTES: usize = 8 * 1024;

/// A request with a recent signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// The key that signed it.
    pub user: PublicKey,
    /// The id of the event: SHA-256 of its content.
    pub id: [u8; 32],
    /// When it was signed.
    pub signed_at: Timestamp,
}

/// The rules for an event.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The part of `u` before path and query.
    pub public_url: String,
    /// How far its time may be from Portico's clock, inclusive.
    pub window: Duration,
}

impl Policy {
    /// The signer of this request, from the value of its `Authorization` header. This does not check whether it was
    /// used before.
    ///
    /// # Errors
    /// [`Nip98Error`], but never [`Nip98Error::AlreadyUsed`].
    pub fn judge(
        &self,
        header: &str,
        request: Option<&WebRequest<'_>>,
        now: Timestamp,
    ) -> Result<SignedRequest, Nip98Error> {
        let event = parse(header).ok_or(Nip98Error::MalformedCredential)?;
        if event.kind != KIND {
            return Err(Nip98Error::WrongKind);
        }
        event.verify().map_err(|_| Nip98Error::InvalidSignature)?;
        if now.secs().abs_diff(event.created_at.as_secs()) > self.window.as_secs() {
            return Err(Nip98Error::OutsideWindow);
        }
        let request = request.ok_or(Nip98Error::RequestRequired)?;
        self.check_request(&event, request)?;
        let signed_at = Timestamp::from_secs(event.created_at.as_secs());
        Ok(SignedRequest { user: event.pubkey, id: event.id.to_bytes(), signed_at })
    }

    /// Checks that exactly this request was signed.
    fn check_request(&self, event: &Event, request: &WebRequest<'_>) -> Result<(), Nip98Error> {
        let is_url = |url: &str| url.strip_prefix(&self.public_url) == Some(request.target);
        if !request.target.starts_with('/') || !only(event, "u").is_some_and(is_url) {
            return Err(Nip98Error::WrongUrl);
        }
        if only(event, "method") != Some(request.method) {
            return Err(Nip98Error::WrongMethod);
        }
        match (request.body, count(event, "payload")) {
            (None, 0) => Ok(()),
            (None, _) => Err(Nip98Error::PayloadUnknown),
            (Some(_), 0) => Err(Nip98Error::PayloadRequired),
            (Some(body), _) if only(event, "payload") == Some(&hex::encode(body)) => Ok(()),
            (Some(_), _) => Err(Nip98Error::WrongPayload),
        }
    }
}

fn parse(header: &str) -> Option<Event> {
    if header.len() > MAX_BYTES {
        return None;
    }
    let (scheme, event) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("nostr") {
        return None;
    }
    serde_json::from_slice(&STANDARD.decode(event).ok()?).ok()
}

/// The value of a tag that occurs exactly once.
fn only<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    let mut values = event.tags.iter().map(|tag| tag.as_slice()).filter(|tag| named(tag, name));
    match (values.next(), values.next()) {
        (Some([_, value]), None) => Some(value),
        _ => None,
    }
}

fn count(event: &Event, name: &str) -> usize {
    event.tags.iter().filter(|tag| named(tag.as_slice(), name)).count()
}

fn named(tag: &[String], name: &str) -> bool {
    tag.first().is_some_and(|first| first == name)
}
