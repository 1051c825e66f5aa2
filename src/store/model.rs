//! What the store keeps, in the words of the domain.

use nostr_sdk::PublicKey;

use super::{NewSession, StreamId};
use crate::clock::Timestamp;

/// An event before it has a place in its stream. The body is JSON text that the store does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// When it happened.
    pub at: Timestamp,
    /// The event as JSON; secrets in it are sealed already.
    pub body: String,
}

/// An event in its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the stream: 1, 2, 3 … without gaps.
    pub index: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The event as JSON.
    pub body: String,
}

/// Part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The events, in order.
    pub events: Vec<StoredEvent>,
    /// Whether the stream has had its last event (which may lie beyond this page).
    pub ended: bool,
    /// Index of the stream's latest event (which may lie beyond this page); 0: there is none yet.
    pub latest: u64,
}

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

/// What an approval teaches us about a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletLogin {
    /// The key that signed the session token: the main key or a proven subkey.
    pub signer: PublicKey,
    /// The user's main key.
    pub user: PublicKey,
}

/// What follows from an approval, in the transaction that stores it.
#[derive(Clone, Debug)]
pub struct Approval {
    /// What it teaches us about the wallet.
    pub wallet: WalletLogin,
    /// The session that it begins, if sessions are on and it is a login.
    pub session: Option<NewSession>,
}

/// A subkey of a user, proven by a SUBKEY_PROOF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSubkey {
    /// The subkey.
    pub key: PublicKey,
    /// The proof's content as JSON, to be checked again when it is used.
    pub proof: String,
    /// When the proof was last shown.
    pub seen_at: Timestamp,
}

/// What an operator did to the set of relays at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayChange {
    /// Added to those of the configuration.
    Added,
    /// Removed, wherever it came from.
    Removed,
}

/// Something signed that does not hold any more, by a hash of who signed what: a token that was revoked, a signed
/// request that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Of a token in Portal's form, the SHA-256 of the signer's key and the SHA-256 of the signing input.
    pub digest: [u8; 32],
    /// When it would have expired; after that the revocation is of no more use.
    pub expires_at: Timestamp,
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

/// Up to when history of each kind is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeBefore {
    /// Revocations of tokens that expired before this.
    pub revocations: Timestamp,
    /// Ids of scans that arrived before this.
    pub scans: Timestamp,
    /// Closed challenges that were made before this.
    pub challenges: Timestamp,
    /// Users who scanned before this and never completed a login.
    pub strangers: Timestamp,
    /// Streams that ended before this, with their events and deliveries. A stream stays as long as its
    /// challenges and its session do, and while a delivery of it waits.
    pub streams: Timestamp,
    /// Deliveries begun before this do not keep their stream from going, though they still wait.
    pub deliveries: Timestamp,
    /// Sessions that were ended before this, or never and ran out before this. The streams of the latter count as
    /// ended from when they did.
    pub sessions: Timestamp,
    /// Users who logged in before this and never since, of whom no session is left and whom nobody ever gave a
    /// name, an address, a role or a permission.
    pub users: Timestamp,
    /// Audit records from before this.
    pub audit: Timestamp,
    /// When this is asked: what the audit says of the users that go.
    pub at: Timestamp,
}
