//! Logins in progress: handshake URLs that wait for a scan, challenges that wait for an answer.

use std::fmt;

use async_trait::async_trait;
use nostr_sdk::PublicKey;

use super::{Begun, EventDraft, NewSession, Result, StoredEvent, StreamId, WalletLogin};
use crate::clock::Timestamp;

/// What follows after a scan of a handshake URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeKind {
    /// Nothing: the caller only learns who scanned.
    Handshake,
    /// A challenge and its answer, on the same stream.
    Login,
}

/// A handshake URL that waits for a scan. Its stream has the same lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The stream of its events.
    pub stream: StreamId,
    /// The token in the URL.
    pub token: String,
    /// What follows after a scan.
    pub kind: HandshakeKind,
    /// Whether the URL tells the wallet that no challenge will follow.
    pub no_request: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires. `None`: a static URL, which serves any number of users until it is deleted.
    pub expires_at: Option<Timestamp>,
}

/// A signed event of a challenge, readable by one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The recipient.
    pub recipient: PublicKey,
    /// The signed Nostr event as JSON.
    pub event: String,
}

/// A challenge that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Its name: 32 alphanumerics.
    pub challenge: String,
    /// The stream of its events.
    pub stream: StreamId,
    /// The user's main key.
    pub user: PublicKey,
    /// Relays that the user prefers, in addition to the service's.
    pub relays: Vec<String>,
    /// The same challenge, sealed once for each key that was asked: the main key and known subkeys.
    pub envelopes: Vec<Envelope>,
    /// How often its events were signed again because a relay found them too old.
    pub renewals: u8,
    /// Whether its outcome is the last event of the stream (not on a static login URL).
    pub ends_stream: bool,
    /// Whether it came from a login URL, so that its approval starts a session.
    pub is_login: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// One scan of a handshake URL by one user.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The id of the Nostr event: the same scan is never counted twice.
    pub event_id: [u8; 32],
    /// The wallet's main key.
    pub user: PublicKey,
    /// Relays that the wallet prefers, already filtered.
    pub preferred_relays: Vec<String>,
    /// When it arrived.
    pub at: Timestamp,
    /// One event for every stream that waits on the token.
    pub events: Vec<(StreamId, EventDraft)>,
    /// Whether the scan uses the URL up (every URL except a static one).
    pub one_time: bool,
    /// The challenge that follows on a login URL. Without one, a one-time stream ends with its scan.
    pub challenge: Option<Challenge>,
}

/// What follows from an approval, in the transaction that stores it.
#[derive(Clone, Debug)]
pub struct Approval {
    /// What it reveals about the wallet.
    pub wallet: WalletLogin,
    /// The session that it starts, if sessions are enabled and it is a login.
    pub session: Option<NewSession>,
}

/// All requests that were open when the daemon last stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Handshake URLs that wait to be scanned.
    pub handshakes: Vec<Handshake>,
    /// Challenges that wait for an answer.
    pub challenges: Vec<Challenge>,
    /// Who was asked and when, open or not, since the given moment: for the limit on prompts.
    pub asked: Vec<(PublicKey, Timestamp)>,
}

/// Handshakes and challenges. Each transition is one transaction that checks that it is still allowed. So
/// exactly one outcome is stored, even if others use the same store.
#[async_trait]
pub trait Logins: fmt::Debug + Send + Sync {
    /// Opens a handshake and its stream.
    async fn open_handshake(&self, handshake: &Handshake) -> Result<()>;

    /// Records one scan in one transaction: the events, the token that is used up, the challenge that
    /// follows. The stored events are in the order of `scan.events`. Returns `None`, and does nothing, if
    /// this scan was recorded before, or if none of the streams is open (used up, ended, deleted). Streams of
    /// `scan.events` that are closed are missing in the result; the challenge is opened only if its stream is
    /// in the result. A scan that found nothing open is not stored: it had no effect that a replay could
    /// repeat.
    async fn record_scan(&self, scan: &Scan) -> Result<Option<Vec<(StreamId, StoredEvent)>>>;

    /// Opens a challenge on a new stream of its own.
    async fn open_challenge(&self, challenge: &Challenge) -> Result<()>;

    /// Adds an event to an open challenge, in place of the one for the same recipient if there is one, and
    /// stores the number of renewals. Returns `false` if the challenge is not open any more.
    async fn put_envelope(&self, challenge: &str, envelope: &Envelope, renewals: u8) -> Result<bool>;

    /// Ends a challenge with its outcome, ends its stream if `ends_stream`, and does what follows from its
    /// approval. Returns `None`, and does nothing, if it had ended already.
    /// [`StoreError::Conflict`](super::StoreError): as for
    /// [`Accounts::begin_session`](super::Accounts::begin_session); nothing is done then either.
    async fn close_challenge(
        &self,
        challenge: &str,
        outcome: &EventDraft,
        approval: Option<&Approval>,
    ) -> Result<Option<(StoredEvent, Option<Begun>)>>;

    /// All open requests, and who was asked since `asked_since`.
    async fn recover(&self, asked_since: Timestamp) -> Result<Recovered>;
}
