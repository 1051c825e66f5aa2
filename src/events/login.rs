//! The result of a login, for its caller: in the answer of the API, and at the end of its stream.

use serde::{Deserialize, Serialize};

use crate::access_token::AccessToken;
use crate::clock::Timestamp;
use crate::store::{Session, StreamId, User, UserId};

/// A new or continued session, and its token (RFC 6749 §5.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoggedIn {
    /// The access token, a JWT.
    pub access_token: AccessToken,
    /// `Bearer` (RFC 6750).
    pub token_type: String,
    /// For how many seconds the token is valid.
    pub expires_in: u64,
    /// The session.
    pub session: OpenSession,
    /// The user of the session.
    pub user: Member,
}

/// An active session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSession {
    /// Its id, which is also the id of its stream.
    pub id: StreamId,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl From<&Session> for OpenSession {
    fn from(session: &Session) -> Self {
        Self { id: session.id, expires_at: session.expires_at }
    }
}

/// Who logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The internal id.
    pub id: UserId,
    /// The provider of the wallet.
    pub provider: String,
    /// The wallet.
    pub wallet_id: String,
    /// How the user proved to own the wallet.
    pub auth_method: String,
    /// The provider's name for the user.
    pub auth_identifier: String,
    /// A name that the operator set.
    pub username: Option<String>,
    /// An address that the operator set.
    pub email: Option<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Permissions.
    pub permissions: Vec<String>,
}

impl From<&User> for Member {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            provider: user.provider.clone(),
            wallet_id: user.wallet_id.clone(),
            auth_method: user.auth_method.clone(),
            auth_identifier: user.auth_identifier.clone(),
            username: user.username.clone(),
            email: user.email.clone(),
            roles: user.roles.clone(),
            permissions: user.permissions.clone(),
        }
    }
}
