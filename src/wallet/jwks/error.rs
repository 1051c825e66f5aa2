//! The reasons why Portico rejects an issuer's token.

use thiserror::Error;

use crate::wallet::CredentialError;

/// Why a token was rejected: the first reason that applies, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum JwtError {
    /// The token is too long, not three parts of canonical base64url, or not strict JSON objects; it has no `kid`, a
    /// `typ` for another purpose, or a header parameter that no token may have here.
    #[error("it is not a well-formed JWT with a kid")]
    MalformedToken,
    /// `alg` is unknown, or not the algorithm of the key.
    #[error("it is not signed with the algorithm of its key")]
    UnsupportedAlgorithm,
    /// The issuer publishes no usable key with this `kid`, or several.
    #[error("it names a key that its issuer does not publish")]
    UnknownKey,
    /// The signature was not made by that key.
    #[error("its signature does not match")]
    InvalidSignature,
    /// A claim is missing or has an invalid value.
    #[error("a claim is missing or invalid")]
    MalformedClaims,
    /// `iss` is another issuer.
    #[error("it is from another issuer")]
    WrongIssuer,
    /// `aud` does not contain the configured audience.
    #[error("it is for another audience")]
    WrongAudience,
    /// `exp` has passed.
    #[error("it has expired")]
    TokenExpired,
    /// `nbf` is in the future.
    #[error("it is not valid yet")]
    TokenNotYetValid,
    /// `iat` is in the future.
    #[error("its iat is in the future")]
    IssuedInFuture,
    /// `sub` and the data of the token name different users.
    #[error("its sub is not the user of its data")]
    SubjectMismatch,
    /// The user logged in at the issuer in a way that Portico does not know.
    #[error("its user logged in in an unknown way")]
    UnknownAuthType,
    /// The issuer states that it has not verified the address.
    #[error("its issuer has not verified the address")]
    UnverifiedIdentifier,
}

impl JwtError {
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
            Self::SubjectMismatch => "subject_mismatch",
            Self::UnknownAuthType => "unknown_auth_type",
            Self::UnverifiedIdentifier => "unverified_identifier",
        }
    }
}

impl From<JwtError> for CredentialError {
    fn from(error: JwtError) -> Self {
        let message = error.to_string();
        match error {
            JwtError::TokenExpired => Self::Expired { message },
            _ => Self::Rejected { code: error.code(), message },
        }
    }
}
