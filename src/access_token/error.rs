//! The reasons why Portico rejects an access token, and the errors of keys.

use thiserror::Error;

use super::Algorithm;

words! {
    /// Why an access token was rejected: the first reason that applies, in the order of the variants.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
    pub enum AccessError: code {
        /// Too long, not three parts of canonical base64url, not strict JSON objects, not of the type `at+jwt`,
        /// without a `kid`, or with a header parameter that an access token must not carry.
        #[error("the access token is not a well-formed JWT of the type at+jwt")]
        MalformedToken = "malformed_token",
        /// `alg` is unknown, or not the algorithm of the key.
        #[error("the access token is not signed with the algorithm of its key")]
        UnsupportedAlgorithm = "unsupported_algorithm",
        /// `kid` is not the id of a known key, or not of the key in question.
        #[error("the access token names an unknown key")]
        UnknownKey = "unknown_key",
        /// The signature was not made by that key.
        #[error("the signature of the access token does not match")]
        InvalidSignature = "invalid_signature",
        /// A claim is missing or has an invalid value.
        #[error("a claim of the access token is missing or invalid")]
        MalformedClaims = "malformed_claims",
        /// `iss` is another issuer.
        #[error("the access token is from another issuer")]
        WrongIssuer = "wrong_issuer",
        /// `aud` is another audience.
        #[error("the access token is for another audience")]
        WrongAudience = "wrong_audience",
        /// `exp` has passed.
        #[error("the access token has expired")]
        TokenExpired = "token_expired",
        /// `nbf` is in the future.
        #[error("the access token is not valid yet")]
        TokenNotYetValid = "token_not_yet_valid",
        /// `iat` is in the future.
        #[error("the access token has an iat in the future")]
        IssuedInFuture = "issued_in_future",
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
