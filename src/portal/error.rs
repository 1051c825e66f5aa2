//! Why the service did not do what it was asked to.

use std::time::Duration;

use crate::metrics::Limit;
use crate::store::StoreError;

/// Why the service did not do what it was asked to. One variant a reason; `api` maps each to a status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortalError {
    /// What was asked makes no sense as it stands.
    #[error("{0}")]
    BadRequest(String),
    /// Nothing is open on such a stream.
    #[error("nothing is open on that stream")]
    NothingOpen,
    /// The static token is in use for something else.
    #[error("{0}")]
    Conflict(&'static str),
    /// A limit is reached.
    #[error("{message}")]
    LimitReached {
        /// Which limit.
        limit: Limit,
        /// What is too much, for people.
        message: &'static str,
        /// After which time asking again makes sense; `None`: time alone does not help.
        retry_after: Option<Duration>,
    },
    /// There is no relay that a URL could name to wallets, ready or not: it would never work.
    #[error(
        "there is no relay to log in over: add one that is read and written, by `portico relays add` or \
         in relays.toml"
    )]
    NothingToLogInOver,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping and takes on nothing new.
    #[error("the daemon is stopping")]
    Stopping,
    /// A message could not be encrypted or signed: a defect of ours.
    #[error("a message could not be sealed")]
    Seal,
}

/// What the service answers with.
pub type Result<T, E = PortalError> = std::result::Result<T, E>;
