//! Logins on their way: handshake URLs that wait to be scanned, challenges that wait for an answer.

use std::fmt;

use async_trait::async_trait;
use nostr_sdk::PublicKey;

use super::{Begun, EventDraft, NewSession, Result, StoredEvent, StreamId, WalletLogin};
use crate::clock::Timestamp;

/// What a scan of a handshake URL leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeKind {
    /// The caller only learns who scanned.
    Handshake,
    /// A challenge follows, and its answer, on the same stream.
    Login,
}

/// A handshake URL that waits to be scanned. Its stream has the same life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The stream that tells of it.
    pub stream: StreamId,
    /// The token in the URL.
    pub token: String,
    /// What a scan leads to.
    pub kind: HandshakeKind,
    /// Whether the URL tells the wallet that no challenge will follow.
    pub no_request: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself. `None`: a static URL, which serves any number of users until it is deleted.
    pub expires_at: Option<Timestamp>,
}

/// One signed event of a challenge, readable by one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Who can open it.
    pub recipient: PublicKey,
    /// The signed Nostr event as JSON.
    pub event: String,
}

/// A challenge that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The 32 alphanumerics that name it.
    pub challenge: String,
    /// The stream that tells of it.
    pub stream: StreamId,
    /// The user's main key.
    pub user: PublicKey,
    /// Relays of the user's own, beyond the service's.
    pub relays: Vec<String>,
    /// The same challenge, once for each key that was asked: the main key and known subkeys.
    pub envelopes: Vec<Envelope>,
    /// How often its events had to be signed anew because a relay called them too old.
    pub renewals: u8,
    /// Whether its outcome is the last event of the stream (it is not on a static login URL).
    pub ends_stream: bool,
    /// Whether it came from a login URL, so that its approval begins a session.
    pub is_login: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// One scan of a handshake URL by one user.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Id of the Nostr event that brought it: the same scan is never counted twice.
    pub event_id: [u8; 32],
    /// Who scanned: the wallet's main key.
    pub user: PublicKey,
    /// Relays that the wallet prefers, already filtered.
    pub preferred_relays: Vec<String>,
    /// When it arrived.
    pub at: Timestamp,
    /// One event for every stream that waits on the token.
    pub events: Vec<(StreamId, EventDraft)>,
    /// Whether the scan uses the URL up (everything but a static one).
    pub one_time: bool,
    /// The challenge that a login URL leads to; without one, a one-time stream ends with its scan.
    pub challenge: Option<Challenge>,
}

/// What follows from an approval, in the transaction that stores it.
#[derive(Clone, Debug)]
pub struct Approval {
    /// What it teaches us about the wallet.
    pub wallet: WalletLogin,
    /// The session that it begins, if sessions are on and it is a login.
    pub session: Option<NewSession>,
}

/// Everything that was open when the daemon last stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Handshake URLs that wait to be scanned.
    pub handshakes: Vec<Handshake>,
    /// Challenges that wait for an answer.
    pub challenges: Vec<Challenge>,
    /// Who was asked when, open or not, since the moment that was asked for: for the limit on prompts.
    pub asked: Vec<(PublicKey, Timestamp)>,
}

/// Handshakes and challenges. Each transition is one transaction that checks that it is still allowed, so that exactly
/// one outcome is stored, whoever else works on the same store.
#[async_trait]
pub trait Logins: fmt::Debug + Send + Sync {
    /// Opens a handshake and its stream.
    async fn open_handshake(&self, handshake: &Handshake) -> Result<()>;

    /// Records one scan in one transaction: the events, the token used up, the challenge that follows.
    /// The stored events come in the order of `scan.events`. `None`: nothing was done, because this
    /// scan was recorded before, or none of the streams is open any more (used up, ended, deleted).
    /// Streams of `scan.events` that are closed are left out of the result; the challenge is opened only
    /// if its stream is in it. A scan that found nothing open is not remembered: it had no effect that a
    /// replay could repeat.
    async fn record_scan(&self, scan: &Scan) -> Result<Option<Vec<(StreamId, StoredEvent)>>>;

    /// Opens a challenge on a new stream of its own.
    async fn open_challenge(&self, challenge: &Challenge) -> Result<()>;

    /// Adds an event to an open challenge, in place of the one for the same recipient if there is one, and
    /// keeps the count of renewals; `false`: the challenge is not open any more.
    async fn put_envelope(&self, challenge: &str, envelope: &Envelope, renewals: u8) -> Result<bool>;

    /// Ends a challenge with its outcome, and its stream if `ends_stream`, and does what follows from its
    /// approval. `None`: it had ended already, and nothing was done. [`StoreError::Conflict`](super::StoreError): as
    /// for [`Accounts::begin_session`](super::Accounts::begin_session), and nothing was done either.
    async fn close_challenge(
        &self,
        challenge: &str,
        outcome: &EventDraft,
        approval: Option<&Approval>,
    ) -> Result<Option<(StoredEvent, Option<Begun>)>>;

    /// Everything that is open, and who was asked since `asked_since`.
    async fn recover(&self, asked_since: Timestamp) -> Result<Recovered>;
}
