//! Errors of the conversation with wallets.

use std::time::Duration;

use crate::metrics::Limit;
use crate::store::StoreError;

/// Why the service refuses or fails a call. One variant per reason; `api` maps each to a status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortalError {
    /// The call is invalid.
    #[error("{0}")]
    BadRequest(String),
    /// The stream has no open request.
    #[error("that stream has no open request")]
    NothingOpen,
    /// The static token is in use for something else.
    #[error("{0}")]
    Conflict(&'static str),
    /// A limit is reached.
    #[error("{message}")]
    LimitReached {
        /// The limit.
        limit: Limit,
        /// What is too much, for people.
        message: &'static str,
        /// When to retry; `None`: waiting alone does not help.
        retry_after: Option<Duration>,
    },
    /// The service has no relay that a URL could name to wallets, ready or not, so the URL would never work.
    #[error(
        "Portico has no relay for logins: add one that it reads and writes, with `portico relays add` or \
         in relays.toml"
    )]
    NothingToLogInOver,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping and accepts no new calls.
    #[error("the daemon is stopping")]
    Stopping,
    /// A message could not be encrypted or signed: a bug in Portico.
    #[error("cannot seal a message")]
    Seal,
}

/// The result of a call.
pub type Result<T, E = PortalError> = std::result::Result<T, E>;
