//! Why an access token is not believed, and what can be wrong with a key.

use thiserror::Error;

use super::Algorithm;

/// The one reason an access token was rejected; the first that applies, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum AccessError {
    /// Too long, not three parts of canonical base64url, not strict JSON objects, not of the type `at+jwt`,
    /// without a `kid`, or with a header parameter that an access token must not carry.
    #[error("the access token is not a well-formed JWT of the type at+jwt")]
    MalformedToken,
    /// `alg` is none that is used here, or not that of the key.
    #[error("the access token is not signed with the algorithm of its key")]
    UnsupportedAlgorithm,
    /// `kid` names no key that is known here, or another than the one in question.
    #[error("the access token names a key that is not known here")]
    UnknownKey,
    /// The signature was not made by that key.
    #[error("the signature does not match")]
    InvalidSignature,
    /// A claim is missing or has a value that it cannot have.
    #[error("a claim is missing or invalid")]
    MalformedClaims,
    /// `iss` is somebody else.
    #[error("the access token was issued by somebody else")]
    WrongIssuer,
    /// `aud` is somebody else.
    #[error("the access token was made for somebody else")]
    WrongAudience,
    /// `exp` has passed.
    #[error("the access token has expired")]
    TokenExpired,
    /// `nbf` lies ahead.
    #[error("the access token is not valid yet")]
    TokenNotYetValid,
    /// `iat` lies ahead.
    #[error("the access token claims to be issued in the future")]
    IssuedInFuture,
}

impl AccessError {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::MalformedToken,
        Self::UnsupportedAlgorithm,
        Self::UnknownKey,
        Self::InvalidSignature,
        Self::MalformedClaims,
        Self::WrongIssuer,
        Self::WrongAudience,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::IssuedInFuture,
    ];

    /// The reason as programs read it: stable, in snake case.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MalformedToken => "malformed_token",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::UnknownKey => "unknown_key",
            Self::InvalidSignature => "invalid_signature",
            Self::MalformedClaims => "malformed_claims",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::TokenExpired => "token_expired",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
        }
    }
}

/// The bytes are no key for this algorithm, or none could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a key for {0}")]
pub struct InvalidKey(pub Algorithm);

/// The cryptography failed, for want of memory or randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the access token could not be signed")]
pub struct SignError;
