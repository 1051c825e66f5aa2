//! Why a user is refused, and why an operation on users and sessions failed.

use std::time::Duration;

use crate::access_token::AccessError;
use crate::metrics::Limit;
use crate::store::{StoreError, StreamId, UserId};
use crate::tokens::TokensError;
use crate::wallet::CredentialError;

/// The result of this module's operations.
pub type Result<T, E = SessionError> = std::result::Result<T, E>;

/// Why a user is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// `sessions.checks` requires an access token, and the request has none.
    #[error("an access token is required")]
    NoAccessToken,
    /// `sessions.checks` requires a wallet's credential, and the request has none.
    #[error("a wallet's credential is required")]
    NoCredential,
    /// The access token is not valid here.
    #[error("{0}")]
    InvalidToken(AccessError),
    /// The access token has expired.
    #[error("the access token has expired")]
    TokenExpired {
        /// Whether everything else is valid: then `POST /auth/refresh` gives a new token.
        renewable: bool,
    },
    /// The session, or the wallet's credential, has expired.
    #[error("the session has expired: log in again")]
    SessionExpired,
    /// The token and the credential belong to different wallets.
    #[error("the access token and the wallet's credential do not belong together")]
    SessionMismatch(Box<Mismatch>),
    /// The wallet is known, but it has not logged in here, or its session was deleted.
    #[error("no session: log in")]
    NoSession,
    /// The session was ended before it expired.
    #[error("the session was ended")]
    SessionRevoked,
    /// An operator disabled the user.
    #[error("this user is disabled")]
    UserDisabled,
    /// Only listed users may log in, and the wallet has no user.
    #[error("this wallet is not on the list of users: an operator must invite it first")]
    UserNotListed,
    /// The wallet's credential is not valid.
    #[error("credential: {message}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    Credential { code: &'static str, message: String },
}

/// The owners of a token and a credential that do not belong together, for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The user of the token.
    pub user: Option<UserId>,
    /// The session of the token.
    pub session: Option<StreamId>,
    /// The provider of the credential.
    pub provider: String,
    /// The wallet of the credential.
    pub wallet_id: String,
}

impl Reason {
    /// The code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoAccessToken => "access_token_required",
            Self::NoCredential => "credential_required",
            Self::InvalidToken(_) => "invalid_token",
            Self::TokenExpired { .. } => "token_expired",
            Self::SessionExpired => "session_expired",
            Self::SessionMismatch(_) => "session_mismatch",
            Self::NoSession => "no_session",
            Self::SessionRevoked => "session_revoked",
            Self::UserDisabled => "user_disabled",
            Self::UserNotListed => "user_not_listed",
            Self::Credential { code, .. } => code,
        }
    }
}

/// Why an operation on users and sessions failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The user is refused.
    #[error("{0}")]
    Refused(#[from] Reason),
    /// The request is malformed.
    #[error("{0}")]
    BadRequest(String),
    /// No user has this id.
    #[error("no such user")]
    NoSuchUser,
    /// The wallet has a user already.
    #[error("this wallet already has a user: {0}")]
    UserExists(UserId),
    /// No session has this id.
    #[error("no such session")]
    NoSuchSession,
    /// Another change to the user came first.
    #[error("the user has changed since you read it: read it again")]
    Changed,
    /// A limit is reached.
    #[error("{message}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    LimitReached { limit: Limit, message: &'static str, retry_after: Duration },
    /// The wallet's provider cannot be asked now.
    #[error("the wallet's provider cannot be asked now: {0}")]
    ProviderUnavailable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping and accepts no new work.
    #[error("the daemon is stopping")]
    Stopping,
    /// A token could not be signed: a defect of Portico.
    #[error("a token could not be signed")]
    Signing,
}

impl From<CredentialError> for SessionError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Expired { .. } => Reason::SessionExpired.into(),
            CredentialError::Rejected { code, message } => Reason::Credential { code, message }.into(),
            CredentialError::Unavailable(why) => Self::ProviderUnavailable(why),
        }
    }
}

/// `tokens` makes the tokens of sessions.
impl From<TokensError> for SessionError {
    fn from(error: TokensError) -> Self {
        match error {
            TokensError::Store(error) => Self::Store(error),
            _ => Self::Signing,
        }
    }
}
