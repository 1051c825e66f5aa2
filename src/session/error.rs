//! Why somebody is not let in, and why something could not be done.

use std::time::Duration;

use crate::access_token::AccessError;
use crate::metrics::Limit;
use crate::store::{StoreError, StreamId, UserId};
use crate::tokens::TokensError;
use crate::wallet::CredentialError;

/// What the second layer answers with.
pub type Result<T, E = SessionError> = std::result::Result<T, E>;

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A check asks for an access token, and there is none.
    #[error("an access token is wanted")]
    NoAccessToken,
    /// A check asks for a wallet's credential, and there is none.
    #[error("a wallet's credential is wanted")]
    NoCredential,
    /// The access token is none of ours, or not for here.
    #[error("access token: {0}")]
    InvalidToken(AccessError),
    /// The access token has run out; whether the rest holds.
    #[error("the access token has expired")]
    TokenExpired {
        /// The session goes on: `POST /auth/refresh` gives a new token.
        renewable: bool,
    },
    /// The session, or the wallet's credential, has run out.
    #[error("the session has expired: log in again")]
    SessionExpired,
    /// The token and the credential are of different wallets.
    #[error("the access token and the wallet's credential do not belong together")]
    SessionMismatch(Box<Mismatch>),
    /// There is a wallet, but nobody has logged in with it, or what was begun is gone.
    #[error("there is no session: log in")]
    NoSession,
    /// The session was ended.
    #[error("the session was ended")]
    SessionRevoked,
    /// The operator keeps the user out.
    #[error("this user is disabled")]
    UserDisabled,
    /// Only listed users are let in, and the wallet has none.
    #[error("this wallet is not on the list of users: an operator must invite it first")]
    UserNotListed,
    /// The wallet's credential does not hold.
    #[error("credential: {message}")]
    Credential {
        /// The provider's code.
        code: &'static str,
        /// For people.
        message: String,
    },
}

/// Whose token met whose credential: for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Whose token it was.
    pub user: Option<UserId>,
    /// Of which session.
    pub session: Option<StreamId>,
    /// Who vouches for the wallet that the credential was of.
    pub provider: String,
    /// That wallet.
    pub wallet_id: String,
}

impl Reason {
    /// For programs.
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

/// Why the second layer did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Somebody is not let in.
    #[error("{0}")]
    Refused(#[from] Reason),
    /// What was asked makes no sense as it stands.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such user.
    #[error("there is no such user")]
    NoSuchUser,
    /// The wallet has a user already.
    #[error("this wallet already has a user: {0}")]
    UserExists(UserId),
    /// There is no such session.
    #[error("there is no such session")]
    NoSuchSession,
    /// Somebody else has changed the user since it was read.
    #[error("the user was changed meanwhile: read it again")]
    Changed,
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
    /// What the wallet's provider needs is not to be had.
    #[error("the wallet's provider cannot be asked now: {0}")]
    ProviderUnavailable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping and takes on nothing new.
    #[error("the daemon is stopping")]
    Stopping,
    /// A token could not be signed: a defect of ours.
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

/// The tokens of sessions are made by `tokens`.
impl From<TokensError> for SessionError {
    fn from(error: TokensError) -> Self {
        match error {
            TokensError::Store(error) => Self::Store(error),
            _ => Self::Signing,
        }
    }
}
