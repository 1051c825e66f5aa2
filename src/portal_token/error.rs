//! The reasons why Portico rejects a token.

use thiserror::Error;

words! {
    /// Why a token was rejected: the first reason that applies, in the order of the variants.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
    pub enum TokenError: code {
        /// Too long, not three parts of canonical base64url, not strict JSON objects, or a header
        /// parameter that a login token must not carry.
        #[error("the token is not a well-formed JWT")]
        MalformedToken = "malformed_token",
        /// `alg` is not exactly `ES256K`, or `typ` is something other than `JWT`.
        #[error("the token is not signed with ES256K")]
        UnsupportedAlgorithm = "unsupported_algorithm",
        /// The signature is not 64 bytes in range, or the key in question did not make it.
        #[error("the signature does not match")]
        InvalidSignature = "invalid_signature",
        /// A claim is missing or has an invalid value.
        #[error("a claim is missing or invalid")]
        MalformedClaims = "malformed_claims",
        /// `exp` has passed.
        #[error("the token has expired")]
        TokenExpired = "token_expired",
        /// `nbf` is in the future.
        #[error("the token is not valid yet")]
        TokenNotYetValid = "token_not_yet_valid",
        /// `iat` is in the future.
        #[error("the token has an iat in the future")]
        IssuedInFuture = "issued_in_future",
        /// The token is valid for longer than the policy allows.
        #[error("the lifetime of the token is too long")]
        LifetimeTooLong = "lifetime_too_long",
        /// The token was revoked.
        #[error("the token was revoked")]
        TokenRevoked = "token_revoked",
        /// No known wallet made the token, or more than one could have made it.
        #[error("no known wallet signed the token")]
        UnknownWallet = "unknown_wallet",
        /// The token is for another audience.
        #[error("the token was made for another service")]
        WrongAudience = "wrong_audience",
    }
}
