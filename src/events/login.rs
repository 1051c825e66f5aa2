//! A login, as whoever asked for it is told: over the API, and at the end of its stream.

use serde::{Deserialize, Serialize};

use crate::access_token::AccessToken;
use crate::clock::Timestamp;
use crate::store::{Session, StreamId, User, UserId};

/// A session that has begun or goes on, and the token that goes with it (RFC 6749 §5.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoggedIn {
    /// The access token, a JWT.
    pub access_token: AccessToken,
    /// `Bearer` (RFC 6750).
    pub token_type: String,
    /// For how many seconds the token holds.
    pub expires_in: u64,
    /// The session.
    pub session: OpenSession,
    /// Whose it is.
    pub user: Member,
}

/// A session that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSession {
    /// Its id, and the id of the stream that tells of it.
    pub id: StreamId,
    /// When it ends by itself.
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
    /// Who vouches for the wallet.
    pub provider: String,
    /// The wallet.
    pub wallet_id: String,
    /// How the user proved to be its owner.
    pub auth_method: String,
    /// What the user is known by there.
    pub auth_identifier: String,
    /// A name that the operator gave.
    pub username: Option<String>,
    /// An address that the operator gave.
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
