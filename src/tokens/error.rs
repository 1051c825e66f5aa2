//! Why a token is not valid, or could not be issued or revoked.

use std::time::Duration;

use crate::metrics::Limit;
use crate::portal_token::TokenError;
use crate::store::StoreError;

/// The result of this module's operations.
pub type Result<T, E = TokensError> = std::result::Result<T, E>;

/// Why a token is not valid, or could not be issued or revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// The request is malformed.
    #[error("{0}")]
    BadRequest(String),
    /// A token in Portal's form is not valid.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// A token of another form is not valid.
    #[error("{message}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    Refused { code: &'static str, message: String },
    /// This service does not issue such tokens.
    #[error("{message}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    NoIssuer { code: &'static str, message: String },
    /// A limit is reached.
    #[error("{message}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    LimitReached { limit: Limit, message: &'static str, retry_after: Duration },
    /// The keys of access tokens cannot be written.
    #[error("the keys of access tokens cannot be written: {0}")]
    Keys(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping and accepts no new work.
    #[error("the daemon is stopping")]
    Stopping,
    /// A token could not be signed: a defect of Portico.
    #[error("a token could not be signed")]
    Signing,
    /// Something that depends on tokens failed unexpectedly: a defect of Portico.
    #[error("{0}")]
    Defect(String),
}

impl TokensError {
    /// No provider issues tokens of another form. Thirdweb is the only one that does.
    pub fn others_are_off() -> Self {
        let message = "thirdweb is off: add a section [wallets.thirdweb] to switch it on".into();
        Self::NoIssuer { code: "thirdweb_off", message }
    }
}
