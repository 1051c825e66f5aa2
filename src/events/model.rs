//! What a stream tells, in the shape that callers see (the reference daemon's, plus our additions).

use nostr_sdk::PublicKey;
use serde::{Deserialize, Serialize};

use super::LoggedIn;
use crate::clock::Timestamp;
use crate::protocol::AuthStatus;
use crate::store::UserId;

/// One event of a stream.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Its place in the stream: 1, 2, 3 … without gaps.
    pub index: u64,
    /// When it happened; RFC 3339 in JSON.
    pub timestamp: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// A wallet scanned the handshake URL.
    KeyHandshake {
        /// The wallet's key.
        main_key: PublicKey,
        /// Relays that it prefers.
        preferred_relays: Vec<String>,
    },
    /// A wallet answered a challenge.
    AuthenticateKey {
        /// The user's main key.
        user_key: PublicKey,
        /// The key that answered: the main key or a subkey of it.
        recipient: PublicKey,
        /// The challenge that was answered.
        challenge: String,
        /// Approved, with the session token, or declined.
        status: AuthStatus,
        /// The verified claims of the session token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<WalletClaims>,
        /// The session that the approval began, on a login URL where sessions are on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<Box<LoggedIn>>,
    },
    /// A session began.
    SessionCreated {
        /// Whose it is.
        user_id: UserId,
        /// Who vouches for the wallet.
        provider: String,
        /// The wallet.
        wallet_id: String,
        /// When the session ends by itself.
        expires_at: Timestamp,
    },
    /// A session was ended.
    SessionRevoked {
        /// Whose it was.
        user_id: UserId,
        /// Why: `logout`, `logout_all`, `operator`, `user_disabled`, `user_deleted`, `superseded`, `oauth`,
        /// `credential_revoked`.
        reason: String,
    },
    /// The request came to nothing.
    Error {
        /// For people.
        reason: String,
        /// For programs.
        code: FailureCode,
        /// The code of the token error, where `code` is `session_token_invalid`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// On a static login URL, whose attempt it was: the URL itself stays open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_key: Option<PublicKey>,
        /// What was asked for, where that was a handshake and nothing more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<RequestKind>,
    },
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// To be told who scans a URL.
    KeyHandshake,
}

/// The verified claims of a token. Times are in seconds since the Unix epoch (RFC 7519 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletClaims {
    /// Who signed the token.
    pub issuer: PublicKey,
    /// Whom it speaks for.
    pub subject: PublicKey,
    /// Whom it is for.
    pub audience: PublicKey,
    /// When it was issued.
    pub issued_at: Option<u64>,
    /// From when on it holds.
    pub not_before: Option<u64>,
    /// Up to when it holds.
    pub expires_at: u64,
}

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// Nobody scanned, or the wallet did not answer in time.
    TimedOut,
    /// In all that time there was no relay.
    NoRelay,
    /// The wallet approved with a session token that does not verify.
    SessionTokenInvalid,
    /// The caller took it back.
    Cancelled,
    /// The wallet approved, but the operator keeps its user out.
    UserDisabled,
    /// The wallet approved, but only listed users are let in, and it has none.
    UserNotListed,
    /// The user has been asked too often (on a login URL, where the daemon itself would ask).
    TooManyRequests,
}

impl FailureCode {
    /// The word for programs, as it stands in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::NoRelay => "no_relay",
            Self::SessionTokenInvalid => "session_token_invalid",
            Self::Cancelled => "cancelled",
            Self::UserDisabled => "user_disabled",
            Self::UserNotListed => "user_not_listed",
            Self::TooManyRequests => "too_many_requests",
        }
    }

    /// The sentence for people.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TimedOut => "no answer in time",
            Self::NoRelay => "no relay could be reached in all that time",
            Self::SessionTokenInvalid => "the wallet approved with a session token that does not verify",
            Self::Cancelled => "cancelled",
            Self::UserDisabled => "this user is disabled",
            Self::UserNotListed => "this wallet is not on the list of users",
            Self::TooManyRequests => "this user has too many requests open, or was asked too often",
        }
    }
}
