//! The reasons why Portico rejects an access token, and the errors of keys.

use thiserror::Error;

use super::Algorithm;

/// Why an access token was rejected: the first reason that applies, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum AccessError {
    /// Too long, not three parts of canonical base64url, not strict JSON objects, not of the type `at+jwt`,
    /// without a `kid`, or with a header parameter that an access token must not carry.
    #[error("the access token is not a well-formed JWT of the type at+jwt")]
    MalformedToken,
    /// `alg` is unknown, or not the algorithm of the key.
    #[error("the access token is not signed with the algorithm of its key")]
    UnsupportedAlgorithm,
    /// `kid` is not the id of a known key, or not of the key in question.
    #[error("the access token names an unknown key")]
    UnknownKey,
    /// The signature was not made by that key.
    #[error("the signature of the access token does not match")]
    InvalidSignature,
    /// A claim is missing or has an invalid value.
    #[error("a claim of the access token is missing or invalid")]
    MalformedClaims,
    /// `iss` is another issuer.
    #[error("the access token is from another issuer")]
    WrongIssuer,
    /// `aud` is another audience.
    #[error("the access token is for another audience")]
    WrongAudience,
    /// `exp` has passed.
    #[error("the access token has expired")]
    TokenExpired,
    /// `nbf` is in the future.
    #[error("the access token is not valid yet")]
    TokenNotYetValid,
    /// `iat` is in the future.
    #[error("the access token has an iat in the future")]
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

    /// The code for programs: stable, in snake case.
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

/// The bytes are not a key of this algorithm, or no key could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a key for {0}")]
pub struct InvalidKey(pub Algorithm);

/// The cryptography failed, because of missing memory or randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the access token could not be signed")]
pub struct SignError;
