//! The reasons why Portico rejects an issuer's token.

use thiserror::Error;

use crate::wallet::CredentialError;

words! {
    /// Why a token was rejected: the first reason that applies, in the order of the variants.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
    pub enum JwtError: code {
        /// The token is too long, not three parts of canonical base64url, or not strict JSON objects; it has no `kid`, a
        /// `typ` for another purpose, or a header parameter that no token may have here.
        #[error("it is not a well-formed JWT with a kid")]
        MalformedToken = "malformed_token",
        /// `alg` is unknown, or not the algorithm of the key.
        #[error("it is not signed with the algorithm of its key")]
        UnsupportedAlgorithm = "unsupported_algorithm",
        /// The issuer publishes no usable key with this `kid`, or several.
        #[error("it names a key that its issuer does not publish")]
        UnknownKey = "unknown_key",
        /// The signature was not made by that key.
        #[error("its signature does not match")]
        InvalidSignature = "invalid_signature",
        /// A claim is missing or has an invalid value.
        #[error("a claim is missing or invalid")]
        MalformedClaims = "malformed_claims",
        /// `iss` is another issuer.
        #[error("it is from another issuer")]
        WrongIssuer = "wrong_issuer",
        /// `aud` does not contain the configured audience.
        #[error("it is for another audience")]
        WrongAudience = "wrong_audience",
        /// `exp` has passed.
        #[error("it has expired")]
        TokenExpired = "token_expired",
        /// `nbf` is in the future.
        #[error("it is not valid yet")]
        TokenNotYetValid = "token_not_yet_valid",
        /// `iat` is in the future.
        #[error("its iat is in the future")]
        IssuedInFuture = "issued_in_future",
        /// `sub` and the data of the token name different users.
        #[error("its sub is not the user of its data")]
        SubjectMismatch = "subject_mismatch",
        /// The user logged in at the issuer in a way that Portico does not know.
        #[error("its user logged in in an unknown way")]
        UnknownAuthType = "unknown_auth_type",
        /// The issuer says in the token that it has not verified one of the names of the user.
        #[error("its issuer has not verified the email address, the phone number or another name of the user")]
        UnverifiedIdentifier = "unverified_identifier",
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
