//! Why a token does not hold, or could not be issued or revoked.

use std::time::Duration;

use crate::metrics::Limit;
use crate::portal_token::TokenError;
use crate::store::StoreError;

/// What this room answers with.
pub type Result<T, E = TokensError> = std::result::Result<T, E>;

/// Why a token does not hold, or could not be issued or revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// What was asked makes no sense as it stands.
    #[error("{0}")]
    BadRequest(String),
    /// A token in Portal's form does not verify.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// A token of another form does not verify.
    #[error("{message}")]
    Refused {
        /// For programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// Nobody here issues such tokens.
    #[error("{message}")]
    NoIssuer {
        /// For programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// A limit is reached.
    #[error("{message}")]
    LimitReached {
        /// Which limit.
        limit: Limit,
        /// What is too much, for people.
        message: &'static str,
        /// After which time asking again makes sense.
        retry_after: Duration,
    },
    /// The keys of access tokens cannot be kept.
    #[error("the signing keys cannot be written: {0}")]
    Keys(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping and takes on nothing new.
    #[error("the daemon is stopping")]
    Stopping,
    /// A token could not be signed: a defect of ours.
    #[error("a token could not be signed")]
    Signing,
    /// What rests on tokens failed in a way that it should not: a defect of ours.
    #[error("{0}")]
    Defect(String),
}
