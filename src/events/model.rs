//! The events of a stream, in the shape that callers see (the reference daemon's, plus our additions).

use nostr_sdk::PublicKey;
use serde::{Deserialize, Serialize};

use super::LoggedIn;
use crate::clock::Timestamp;
use crate::protocol::AuthStatus;
use crate::store::UserId;

/// One event of a stream.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Its index in the stream: 1, 2, 3 … without gaps.
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
        /// Approved with the session token, or declined.
        status: AuthStatus,
        /// The verified claims of the session token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<WalletClaims>,
        /// The session that the approval started, on a login URL with sessions enabled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<Box<LoggedIn>>,
    },
    /// A session began.
    SessionCreated {
        /// The user of the session.
        user_id: UserId,
        /// The provider of the wallet.
        provider: String,
        /// The wallet.
        wallet_id: String,
        /// When the session expires.
        expires_at: Timestamp,
    },
    /// A session was ended.
    SessionRevoked {
        /// The user of the session.
        user_id: UserId,
        /// The reason: `logout`, `logout_all`, `operator`, `user_disabled`, `user_deleted`, `superseded`,
        /// `oauth`, `credential_revoked`.
        reason: String,
    },
    /// The request failed.
    Error {
        /// For people.
        reason: String,
        /// For programs.
        code: FailureCode,
        /// The code of the token error, if `code` is `session_token_invalid`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// On a static login URL, the user of the attempt: the URL itself stays open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_key: Option<PublicKey>,
        /// The kind of the request, if it was only a handshake.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<RequestKind>,
    },
}

/// What a caller requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// To learn who scans a URL.
    KeyHandshake,
}

/// The verified claims of a token. Times are in seconds since the Unix epoch (RFC 7519 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletClaims {
    /// The signer of the token.
    pub issuer: PublicKey,
    /// The user of the token.
    pub subject: PublicKey,
    /// The audience of the token.
    pub audience: PublicKey,
    /// When it was issued.
    pub issued_at: Option<u64>,
    /// The time from which it is valid.
    pub not_before: Option<u64>,
    /// The time until which it is valid.
    pub expires_at: u64,
}

words! {
    /// Why a request failed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum FailureCode: as_str, serde {
        /// No wallet scanned the URL or answered in time.
        TimedOut = "timed_out",
        /// No relay was ready during the request.
        NoRelay = "no_relay",
        /// The wallet approved with an invalid session token.
        SessionTokenInvalid = "session_token_invalid",
        /// The caller cancelled the request.
        Cancelled = "cancelled",
        /// The wallet approved, but the operator disabled the user.
        UserDisabled = "user_disabled",
        /// The wallet approved, but only listed users may log in, and this wallet has none.
        UserNotListed = "user_not_listed",
        /// The user has been asked too often (on a login URL, where the daemon itself sends the challenge).
        TooManyRequests = "too_many_requests",
    }
}

impl FailureCode {
    /// The text for people.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TimedOut => "no answer in time",
            Self::NoRelay => "no relay was ready during the request",
            Self::SessionTokenInvalid => "the wallet approved with an invalid session token",
            Self::Cancelled => "cancelled",
            Self::UserDisabled => "this user is disabled",
            Self::UserNotListed => "this wallet is not on the list of users",
            Self::TooManyRequests => "this user has too many open requests, or was asked too often",
        }
    }
}
