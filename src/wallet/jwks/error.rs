//! Why an issuer's token is not believed.

use thiserror::Error;

use crate::wallet::CredentialError;

/// The one reason a token was rejected; the first that applies, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum JwtError {
    /// Too long, not three parts of canonical base64url, not strict JSON objects, without a `kid`, of a `typ` that
    /// is for something else, or with a header parameter that no token here may carry.
    #[error("it is not a well-formed JWT with a kid")]
    MalformedToken,
    /// `alg` is none that is used here, or not that of the key.
    #[error("it is not signed with the algorithm of its key")]
    UnsupportedAlgorithm,
    /// The issuer publishes no key of this `kid` that could sign, or several.
    #[error("it names a key that its issuer does not publish")]
    UnknownKey,
    /// The signature was not made by that key.
    #[error("its signature does not match")]
    InvalidSignature,
    /// A claim is missing or has a value that it cannot have.
    #[error("a claim is missing or invalid")]
    MalformedClaims,
    /// `iss` is somebody else.
    #[error("it was issued by somebody else")]
    WrongIssuer,
    /// `aud` does not name us.
    #[error("it was made for somebody else")]
    WrongAudience,
    /// `exp` has passed.
    #[error("it has expired")]
    TokenExpired,
    /// `nbf` lies ahead.
    #[error("it is not valid yet")]
    TokenNotYetValid,
    /// `iat` lies ahead.
    #[error("it claims to be issued in the future")]
    IssuedInFuture,
    /// `sub` and the data of the token name two users.
    #[error("its sub is not the user of its data")]
    SubjectMismatch,
    /// The user has logged in there in a way that is not known here.
    #[error("the way its user logged in is not known here")]
    UnknownAuthType,
    /// The issuer says itself that it has not verified the address.
    #[error("its issuer has not verified the address")]
    UnverifiedIdentifier,
}

impl JwtError {
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
