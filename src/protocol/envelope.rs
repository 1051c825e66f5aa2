//! Seals messages into events, and opens them.
//!
//! The content of an event is encrypted between its author and one recipient (NIP-44 version 2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr_sdk::nips::nip44;
use nostr_sdk::nips::nip44::v2::{self, ConversationKey, ErrorV2};
use nostr_sdk::{Event, EventBuilder, EventId, Keys, PublicKey, Tag, TagKind, Tags, Timestamp};
use quick_cache::sync::Cache;
use rand::{CryptoRng, Rng};
use secp256k1::SECP256K1;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::{Content, Message, kind};

/// The longest NIP-44 payload in base64, that of 65,535 bytes of text.
const MAX_PAYLOAD_CHARS: usize = 87_472;

/// Why a message cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The recipient's key is not a point of the curve.
    #[error("the recipient's key is not a secp256k1 key")]
    InvalidRecipient,
    /// NIP-44 encrypts 1 to about 65,000 bytes.
    #[error("the text is empty or too long to encrypt")]
    Length,
    /// The message cannot be expressed in JSON.
    #[error("the message cannot be expressed in JSON")]
    NotJson,
    /// The event cannot be signed.
    #[error("the event cannot be signed")]
    Signature,
}

/// Why an event is not a message to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The event is not of a kind of the protocol.
    #[error("not an event of this protocol")]
    UnknownKind,
    /// The content is not a NIP-44 version 2 payload, for example plain JSON. Portico does not parse it.
    #[error("the content is not encrypted")]
    NotEncrypted,
    /// The content is encrypted, but not between its author and us.
    #[error("the content is encrypted to another key")]
    Foreign,
    /// The author encrypted the content to us, but it is malformed.
    #[error("the content is malformed")]
    Malformed(Defect),
}

/// What is wrong with the decrypted content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Wrong padding or length inside the ciphertext.
    Padding,
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON.
    NotJson,
    /// JSON without the fields or values that the kind of the event requires.
    NotThisMessage,
}

/// An opened event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The author; authentic if the event's signature was verified.
    pub author: PublicKey,
    /// The id of the event.
    pub id: EventId,
    /// The message.
    pub message: Message,
}

/// Seals and opens with one secret key.
pub struct Sealer {
    keys: Keys,
    /// Deriving a key costs ten times as much as encrypting with it.
    conversations: Cache<PublicKey, ConversationKey>,
}

impl Sealer {
    /// A sealer with a cache of the conversation keys of about `cache_capacity` peers.
    pub fn new(keys: Keys, cache_capacity: usize) -> Self {
        Self { keys, conversations: Cache::new(cache_capacity.max(1)) }
    }

    /// The identity.
    pub fn public_key(&self) -> PublicKey {
        self.keys.public_key()
    }

    /// Makes a signed event with a message that only `to` can read.
    ///
    /// It gets a `p` tag for each of the `concerned`, and an `e` tag for the event it `answers`.
    /// `created_at` is in seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn seal<R: Rng + CryptoRng, M: Content>(
        &self,
        rng: &mut R,
        to: &PublicKey,
        concerned: &[PublicKey],
        answers: Option<EventId>,
        message: &M,
        created_at: u64,
    ) -> Result<Event, SealError> {
        let json = serde_json::to_string(message).map_err(|_| SealError::NotJson)?;
        let content = self.seal_text(rng, to, &json)?;
        let concerned = concerned.iter().map(|key| Tag::public_key(*key));
        let tags = Tags::from_list(concerned.chain(answers.map(Tag::event)).collect());
        let (author, created_at) = (self.public_key(), Timestamp::from_secs(created_at));
        let id = EventId::new(&author, &created_at, &M::KIND, &tags, &content);
        let digest = secp256k1::Message::from_digest(id.to_bytes());
        let signature = self.keys.sign_schnorr_with_ctx(SECP256K1, &digest, rng);
        Ok(Event::new(id, author, created_at, M::KIND, tags, content, signature))
    }

    /// Signs a public event as this identity.
    ///
    /// # Errors
    ///
    /// [`SealError::Signature`].
    pub fn sign(&self, event: EventBuilder) -> Result<Event, SealError> {
        event.sign_with_keys(&self.keys).map_err(|_| SealError::Signature)
    }

    /// Opens an event that was sealed to us. Does not check the event's signature: that is done when events
    /// arrive.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(&self, event: &Event) -> Result<Opened, OpenError> {
        let kinds = [kind::KEY_HANDSHAKE, kind::AUTH_CHALLENGE, kind::AUTH_RESPONSE, kind::SUBKEY_PROOF];
        if !kinds.contains(&event.kind) {
            return Err(OpenError::UnknownKind);
        }
        let json = self.open_text(&event.pubkey, &event.content)?;
        let message = if event.kind == kind::KEY_HANDSHAKE {
            Message::KeyHandshake(parse(&json)?)
        } else if event.kind == kind::AUTH_CHALLENGE {
            Message::AuthChallenge(parse(&json)?)
        } else if event.kind == kind::AUTH_RESPONSE {
            Message::AuthResponse(parse(&json)?)
        } else {
            Message::SubkeyProof { proof: parse(&json)?, about: answered(event) }
        };
        Ok(Opened { author: event.pubkey, id: event.id, message })
    }

    /// Encrypts a text that only `to` and we can read; `to` may be our own key.
    ///
    /// # Errors
    ///
    /// [`SealError::InvalidRecipient`] and [`SealError::Length`].
    pub fn seal_text<R: Rng + CryptoRng>(
        &self,
        rng: &mut R,
        to: &PublicKey,
        text: &str,
    ) -> Result<String, SealError> {
        let key = self.conversation(to).map_err(|_| SealError::InvalidRecipient)?;
        self.conversations.insert(*to, key);
        let payload =
            v2::encrypt_to_bytes_with_rng(rng, &key, text.as_bytes()).map_err(|_| SealError::Length)?;
        Ok(STANDARD.encode(payload))
    }

    /// Decrypts what `from` encrypted to us.
    ///
    /// # Errors
    ///
    /// All of [`OpenError`] except [`OpenError::UnknownKind`].
    pub fn open_text(&self, from: &PublicKey, payload: &str) -> Result<String, OpenError> {
        let payload = decode(payload).ok_or(OpenError::NotEncrypted)?;
        let key = self.conversation(from).map_err(|_| OpenError::Foreign)?;
        let text = v2::decrypt_to_bytes(&key, &payload).map_err(|error| match error {
            nip44::Error::V2(ErrorV2::InvalidHmac) => OpenError::Foreign,
            nip44::Error::V2(ErrorV2::PayloadTooShort | ErrorV2::MessageTooLong) => OpenError::NotEncrypted,
            _ => OpenError::Malformed(Defect::Padding),
        })?;
        // Only now: strangers who write nonsense shall not push our peers out.
        self.conversations.insert(*from, key);
        String::from_utf8(text).map_err(|_| OpenError::Malformed(Defect::NotUtf8))
    }

    fn conversation(&self, peer: &PublicKey) -> Result<ConversationKey, nip44::Error> {
        match self.conversations.get(peer) {
            Some(key) => Ok(key),
            None => ConversationKey::derive(self.keys.secret_key(), peer),
        }
    }
}

#[cfg(test)]
impl Sealer {
    /// The number of peers with a cached conversation key.
    pub(super) fn remembered(&self) -> usize {
        self.conversations.len()
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("public_key", &self.public_key())
            .field("secret_key", &format_args!("[redacted]"))
            .finish()
    }
}

/// The bytes of a version 2 payload. The version is the first byte, and decrypting ignores it.
fn decode(payload: &str) -> Option<Vec<u8>> {
    if payload.len() > MAX_PAYLOAD_CHARS {
        return None;
    }
    STANDARD.decode(payload).ok().filter(|bytes| bytes.first() == Some(&nip44::Version::V2.as_u8()))
}

/// A message is a JSON object; serde would also accept an array with the values in order.
fn parse<M: DeserializeOwned>(json: &str) -> Result<M, OpenError> {
    if json.trim_ascii_start().starts_with('[') {
        return Err(OpenError::Malformed(Defect::NotThisMessage));
    }
    serde_json::from_str(json).map_err(|error| {
        OpenError::Malformed(if error.is_data() { Defect::NotThisMessage } else { Defect::NotJson })
    })
}

/// The event that this event answers: the first valid `e` tag.
fn answered(event: &Event) -> Option<EventId> {
    let tags = event.tags.iter().filter(|tag| tag.kind() == TagKind::e());
    tags.filter_map(|tag| EventId::from_hex(tag.content()?).ok()).next()
}
