//! Why a thirdweb token is not believed.

use crate::wallet::CredentialError;

/// The one reason; the first that applies, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is too long, not three parts of unpadded base64, not the compact JSON of one object without duplicate names,
    /// or its signature is not `0x` and hex digits.
    #[error("it is not a well-formed thirdweb token")]
    Malformed,
    /// The first part is not the one that every thirdweb token has.
    #[error("its header is not that of a thirdweb token")]
    Header,
    /// A claim is missing or has a value that it cannot have.
    #[error("a claim is missing or invalid")]
    Claims,
    /// `iss` is none of the configured admin wallets.
    #[error("it was issued by a wallet that is not trusted here")]
    UnknownIssuer,
    /// `iss` did not sign it, or not in the one way that is accepted.
    #[error("its issuer has not signed it")]
    Signature,
    /// `aud` is another domain.
    #[error("it was made for another domain")]
    Audience,
    /// `exp` has come.
    #[error("it has expired")]
    Expired,
    /// `nbf` lies ahead.
    #[error("it is not valid yet")]
    NotYetValid,
    /// `iat` lies ahead.
    #[error("it claims to be issued in the future")]
    IssuedInFuture,
    /// It was revoked here.
    #[error("it was revoked")]
    Revoked,
}

impl Refusal {
    /// The reason as programs read it.
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
