//! Why the operator's relays could not be used or changed.

use nostr_sdk::RelayUrl;

use crate::relay::RelayError;
use crate::shown;
use crate::store::StoreError;

/// Why the operator's relays could not be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// What was asked makes no sense as it stands.
    #[error("{0}")]
    BadRequest(String),
    /// There are `relays.max_relays` already.
    #[error("there are too many relays already: remove one first")]
    TooMany,
    /// A relay that is to be removed is none of the operator's.
    #[error("no such relay: {} is neither in relays.toml nor was it added", shown::relay(.0))]
    NoSuchRelay(RelayUrl),
    /// No relay is subscribed.
    #[error("no relay is subscribed: nobody can log in now")]
    NoRelay,
    /// A change to the set of relays was refused.
    #[error("{0}")]
    Relay(#[from] RelayError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping and takes on nothing new.
    #[error("the daemon is stopping")]
    Stopping,
}

/// What the roster answers with.
pub type Result<T, E = RosterError> = std::result::Result<T, E>;
