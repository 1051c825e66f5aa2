//! The state that outlives the process: the [`Store`] trait in the domain's own words, and its backends for
//! SQLite and PostgreSQL.
//!
//! The state lives here; memory elsewhere is a cache of it. Every transition is one transaction that checks
//! that it is still allowed, so a second daemon on the same store would learn the state and not overwrite it.
//! A missing value is `Ok(None)`, never an error. A method returns when its result would survive a loss of
//! power.

mod accounts;
mod api_tokens;
mod backups;
mod claims;
mod deliveries;
mod id;
mod keys;
mod logins;
pub mod postgres;
mod relays;
mod replays;
mod revocations;
mod sign_ins;
mod sole_writer;
pub mod sqlite;
mod streams;
mod transfer;
mod upkeep;
mod wallets;
mod web_sign_ins;

pub use accounts::{
    Accounts, AuditDraft, AuditFilter, AuditKind, AuditRecord, Begun, Ended, NewSession, Revision, Session,
    SessionChoice, User, UserFilter,
};
pub use api_tokens::{ApiTokenId, ApiTokens, StoredApiToken};
pub use backups::{BackupError, BackupLabel, Backups};
pub use claims::{Claims, Novelty, PromptRules, Rate, ShownRequest, TooManyPrompts, Visit};
pub use deliveries::{Attempt, Deliveries, Delivery, DeliveryState, Undelivered};
pub use id::{StreamId, UserId, WebSignInId};
pub use keys::{KeyStore, KeysError, KeysRevision, StoredKeys};
pub use logins::{Approval, Challenge, Envelope, Handshake, HandshakeKind, Logins, Recovered, Scan};
pub use relays::{OperatorRelays, RelayChange};
pub use replays::{Replay, Replays};
pub use revocations::{Revocation, Revocations};
pub use sign_ins::{SignIns, TextDigest};
pub use sole_writer::{ClaimsInMemory, SoleWriter};
pub use streams::{EventDraft, Page, StoredEvent, Streams};
pub use transfer::Moved;
pub use upkeep::{PurgeBefore, Upkeep};
pub use wallets::{KnownSubkey, KnownWallets, WalletLogin};
pub use web_sign_ins::{SecretDigest, TakenCode, WebSignIn, WebSignIns};

/// Why a call to the store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full, or the file is locked or cannot be written. May be temporary.
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
    /// The stored data is invalid.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Something with the same name exists already, such as a challenge or a stream.
    #[error("it exists already")]
    Conflict,
}

/// The result of a call to the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The persistent state of the service: all topics together, for the code that puts the parts together. All
/// other code takes the trait of its topic.
pub trait Store:
    Logins
    + Streams
    + KnownWallets
    + OperatorRelays
    + Revocations
    + Replays
    + Accounts
    + ApiTokens
    + Deliveries
    + SignIns
    + Claims
    + WebSignIns
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
        + ApiTokens
        + Deliveries
        + SignIns
        + Claims
        + WebSignIns
        + Upkeep
{
}
