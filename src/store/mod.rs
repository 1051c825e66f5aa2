//! What must outlive the process: the [`Store`] trait in the domain's own words, and its SQLite backend.
//!
//! State lives here; memory elsewhere is a cache of it. Every transition is one transaction that checks
//! that it is still allowed, so that a second daemon on the same store would be told, not obeyed. Absent is
//! `Ok(None)`, never an error. A method returns when what it did would survive a loss of power.

mod accounts;
mod deliveries;
mod id;
mod logins;
mod relays;
mod replays;
mod revocations;
mod sign_ins;
pub mod sqlite;
mod streams;
mod upkeep;
mod wallets;

pub use accounts::{
    Accounts, AuditDraft, AuditFilter, AuditKind, AuditRecord, Begun, Ended, NewSession, Revision, Session,
    SessionChoice, User, UserFilter,
};
pub use deliveries::{Attempt, Deliveries, Delivery, DeliveryState, Undelivered};
pub use id::{StreamId, UserId};
pub use logins::{Approval, Challenge, Envelope, Handshake, HandshakeKind, Logins, Recovered, Scan};
pub use relays::{OperatorRelays, RelayChange};
pub use replays::{Replay, Replays};
pub use revocations::{Revocation, Revocations};
pub use sign_ins::{SignIns, TextDigest};
pub use streams::{EventDraft, Page, StoredEvent, Streams};
pub use upkeep::{PurgeBefore, Upkeep};
pub use wallets::{KnownSubkey, KnownWallets, WalletLogin};

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

/// The persistent state of the service: all topics together, for whoever puts the parts together. Everybody else
/// takes the trait of the topic.
pub trait Store:
    Logins
    + Streams
    + KnownWallets
    + OperatorRelays
    + Revocations
    + Replays
    + Accounts
    + Deliveries
    + SignIns
    + Upkeep
{
}

impl<S> Store for S where
    S: Logins
        + Streams
        + KnownWallets
        + OperatorRelays
        + Revocations
        + Replays
        + Accounts
        + Deliveries
        + SignIns
        + Upkeep
{
}
