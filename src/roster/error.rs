//! Errors of the operator's relays.

use nostr_sdk::RelayUrl;

use crate::relay::RelayError;
use crate::shown;
use crate::store::StoreError;

/// Why the operator's relays could not be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// The call is invalid.
    #[error("{0}")]
    BadRequest(String),
    /// There are `relays.max_relays` relays already.
    #[error("relays.max_relays is reached: remove a relay first")]
    TooMany,
    /// The relay to remove is not one of the operator's.
    #[error("unknown relay: {} is not in relays.toml and was not added at run time", shown::relay(.0))]
    NoSuchRelay(RelayUrl),
    /// No relay is subscribed.
    #[error("no relay is subscribed: logins are impossible now")]
    NoRelay,
    /// A change to the set of relays was refused.
    #[error("{0}")]
    Relay(#[from] RelayError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping and accepts no new calls.
    #[error("the daemon is stopping")]
    Stopping,
}

/// The result of a call of the roster.
pub type Result<T, E = RosterError> = std::result::Result<T, E>;
