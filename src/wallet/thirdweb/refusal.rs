//! The reasons why Portico rejects a thirdweb token.

use crate::wallet::CredentialError;

/// Why a token was rejected: the first reason that applies, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The token is too long, not three parts of unpadded base64, or not the compact JSON of one object without
    /// duplicate names, or its signature is not `0x` and hex digits.
    #[error("it is not a well-formed thirdweb token")]
    Malformed,
    /// The first part is not the header that every thirdweb token has.
    #[error("its header is not that of a thirdweb token")]
    Header,
    /// A claim is missing or has an invalid value.
    #[error("a claim is missing or invalid")]
    Claims,
    /// `iss` is not one of the configured admin wallets.
    #[error("its issuer is not a trusted admin wallet")]
    UnknownIssuer,
    /// `iss` did not sign the token, or not in the one accepted way.
    #[error("its issuer did not sign it")]
    Signature,
    /// `aud` is another domain.
    #[error("it was made for another domain")]
    Audience,
    /// `exp` has passed.
    #[error("it has expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// `iat` is in the future.
    #[error("its iat is in the future")]
    IssuedInFuture,
    /// The token was revoked here.
    #[error("it was revoked")]
    Revoked,
}

impl Refusal {
    /// The code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_token",
            Self::Header => "unsupported_algorithm",
            Self::Claims => "malformed_claims",
            Self::UnknownIssuer => "unknown_issuer",
            Self::Signature => "invalid_signature",
            Self::Audience => "wrong_audience",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::Revoked => "token_revoked",
        }
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
