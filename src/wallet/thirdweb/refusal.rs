//! The reasons why Portico rejects a thirdweb token.

use crate::wallet::CredentialError;

words! {
    /// Why a token was rejected: the first reason that applies, in the order of the variants.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum Refusal: code {
        /// The token is too long, not three parts of unpadded base64, or not the compact JSON of one object without
        /// duplicate names, or its signature is not `0x` and hex digits.
        #[error("it is not a well-formed thirdweb token")]
        Malformed = "malformed_token",
        /// The first part is not the header that every thirdweb token has.
        #[error("its header is not that of a thirdweb token")]
        Header = "unsupported_algorithm",
        /// A claim is missing or has an invalid value.
        #[error("a claim is missing or invalid")]
        Claims = "malformed_claims",
        /// `iss` is not one of the configured admin wallets.
        #[error("its issuer is not a trusted admin wallet")]
        UnknownIssuer = "unknown_issuer",
        /// `iss` did not sign the token, or not in the one accepted way.
        #[error("its issuer did not sign it")]
        Signature = "invalid_signature",
        /// `aud` is another domain.
        #[error("it was made for another domain")]
        Audience = "wrong_audience",
        /// `exp` has passed.
        #[error("it has expired")]
        Expired = "token_expired",
        /// `nbf` is in the future.
        #[error("it is not valid yet")]
        NotYetValid = "token_not_yet_valid",
        /// `iat` is in the future.
        #[error("its iat is in the future")]
        IssuedInFuture = "issued_in_future",
        /// The token was revoked here.
        #[error("it was revoked")]
        Revoked = "token_revoked",
    }
}

impl From<Refusal> for CredentialError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Expired => Self::Expired { message },
            _ => Self::Rejected { code: refusal.code(), message },
        }
    }
}
