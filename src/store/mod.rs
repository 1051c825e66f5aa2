//! What must outlive the process: the [`Store`] trait in the domain's own words, and its SQLite backend.
//!
//! State lives here; memory elsewhere is a cache of it. Every transition is one transaction that checks
//! that it is still allowed, so that a second daemon on the same store would be told, not obeyed. Absent is
//! `Ok(None)`, never an error. A method returns when what it did would survive a loss of power.

mod accounts;
mod id;
mod live;
mod model;
mod outbox;
mod sign_ins;
pub mod sqlite;

pub use accounts::{
    Accounts, AuditDraft, AuditFilter, AuditKind, AuditRecord, Begun, Ended, NewSession, Revision, Session,
    SessionChoice, User, UserFilter,
};
pub use id::{StreamId, UserId};
pub(crate) use live::Live;
pub use model::{
    Approval, Challenge, Envelope, EventDraft, Handshake, HandshakeKind, KnownSubkey, Page, PurgeBefore,
    Recovered, RelayChange, Revocation, Scan, StoredEvent, WalletLogin,
};
pub use outbox::{Attempt, Delivery, DeliveryState, Outbox, Undelivered};
pub use sign_ins::{SignIns, TextDigest};

use async_trait::async_trait;
use nostr_sdk::PublicKey;

use crate::clock::{ClockSeen, Timestamp};

/// Why the store did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full, the file is locked or cannot be written: may pass.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The file was written by a newer version of this program.
    #[error(
        "the store was written by a newer version: its schema is {found}, this program knows up to {known}"
    )]
    Newer {
        /// Schema version of the file.
        found: u32,
        /// The highest schema version that this program knows.
        known: u32,
    },
    /// What was read makes no sense.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// What was to be opened is open already (a challenge or stream of the same name).
    #[error("already there")]
    Conflict,
}

/// What a store answers with.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The persistent state of the service.
#[async_trait]
pub trait Store: Outbox + Accounts + SignIns {
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
    /// approval. `None`: it had ended already, and nothing was done. [`StoreError::Conflict`]: as for
    /// [`Accounts::begin_session`], and nothing was done either.
    async fn close_challenge(
        &self,
        challenge: &str,
        outcome: &EventDraft,
        approval: Option<&Approval>,
    ) -> Result<Option<(StoredEvent, Option<Begun>)>>;

    /// Ends a stream with its last event, and whatever is open on it: its handshake, its challenges.
    /// `None`: it had ended already, or never was.
    async fn end_stream(&self, stream: StreamId, last: &EventDraft) -> Result<Option<StoredEvent>>;

    /// At most `limit` events of a stream behind index `after`. `None`: no such stream.
    async fn events_after(&self, stream: StreamId, after: u64, limit: usize) -> Result<Option<Page>>;

    /// Everything that is open, and who was asked since `asked_since`.
    async fn recover(&self, asked_since: Timestamp) -> Result<Recovered>;

    /// The user for whom this key signed a session token that completed a login here.
    async fn user_of_signer(&self, signer: &PublicKey) -> Result<Option<PublicKey>>;

    /// Relays that the user's wallet named in its last handshake.
    async fn preferred_relays(&self, user: &PublicKey) -> Result<Vec<String>>;

    /// Remembers a proven subkey of a user. At most `keep` stay; the one not shown for longest goes.
    async fn remember_subkey(&self, user: &PublicKey, subkey: &KnownSubkey, keep: usize) -> Result<()>;

    /// The known subkeys of a user, the latest first.
    async fn subkeys(&self, user: &PublicKey) -> Result<Vec<KnownSubkey>>;

    /// Remembers that a relay was added or removed at run time.
    async fn change_relay(&self, url: &str, change: RelayChange, at: Timestamp) -> Result<()>;

    /// Forgets what was done to a relay at run time: it is as the configuration has it.
    async fn forget_relay_change(&self, url: &str) -> Result<()>;

    /// The changes that hold, one for each relay that was changed, in the order in which they were made.
    async fn relay_changes(&self) -> Result<Vec<(String, RelayChange)>>;

    /// Revokes a token; `false`: it was revoked before.
    async fn revoke(&self, revocation: &Revocation, at: Timestamp) -> Result<bool>;

    /// What was seen of the wall clock, by the processes before this one too. `None`: nothing yet.
    async fn clock_seen(&self) -> Result<Option<ClockSeen>>;

    /// Remembers that in place of what was seen before.
    async fn see_clock(&self, seen: &ClockSeen) -> Result<()>;

    /// All revocations that still matter at `now`.
    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>>;

    /// Drops history that is of no more use; returns how many rows went.
    async fn purge(&self, before: &PurgeBefore) -> Result<u64>;

    /// Whether something could be written now.
    async fn check(&self) -> Result<()>;

    /// How much room it takes where it is kept, in bytes. `None`: that cannot be told now.
    fn size(&self) -> Option<u64>;

    /// Waits for what was accepted, then releases the file. Later calls are `Unavailable`.
    async fn close(&self);
}
