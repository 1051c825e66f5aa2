//! The reasons why Portico rejects a token.

use thiserror::Error;

/// Why a token was rejected: the first reason that applies, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum TokenError {
    /// Too long, not three parts of canonical base64url, not strict JSON objects, or a header
    /// parameter that a login token must not carry.
    #[error("the token is not a well-formed JWT")]
    MalformedToken,
    /// `alg` is not exactly `ES256K`, or `typ` is something other than `JWT`.
    #[error("the token is not signed with ES256K")]
    UnsupportedAlgorithm,
    /// The signature is not 64 bytes in range, or the key in question did not make it.
    #[error("the signature does not match")]
    InvalidSignature,
    /// A claim is missing or has an invalid value.
    #[error("a claim is missing or invalid")]
    MalformedClaims,
    /// `exp` has passed.
    #[error("the token has expired")]
    TokenExpired,
    /// `nbf` is in the future.
    #[error("the token is not valid yet")]
    TokenNotYetValid,
    /// `iat` is in the future.
    #[error("the token has an iat in the future")]
    IssuedInFuture,
    /// The token is valid for longer than the policy allows.
    #[error("the lifetime of the token is too long")]
    LifetimeTooLong,
    /// The token was revoked.
    #[error("the token was revoked")]
    TokenRevoked,
    /// No known wallet made the token, or more than one could have made it.
    #[error("no known wallet signed the token")]
    UnknownWallet,
    /// The token is for another audience.
    #[error("the token was made for another service")]
    WrongAudience,
}

impl TokenError {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::MalformedToken,
        Self::UnsupportedAlgorithm,
        Self::InvalidSignature,
        Self::MalformedClaims,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::IssuedInFuture,
        Self::LifetimeTooLong,
        Self::TokenRevoked,
        Self::UnknownWallet,
        Self::WrongAudience,
    ];

    /// The reason with this code; `None` for an unknown code.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.code() == code)
    }

    /// The code for programs: stable, in snake case.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MalformedToken => "malformed_token",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::InvalidSignature => "invalid_signature",
            Self::MalformedClaims => "malformed_claims",
            Self::TokenExpired => "token_expired",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::TokenRevoked => "token_revoked",
            Self::UnknownWallet => "unknown_wallet",
            Self::WrongAudience => "wrong_audience",
        }
    }
}
