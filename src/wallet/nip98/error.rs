//! Why a signed request is not believed.

use thiserror::Error;

use crate::wallet::CredentialError;

/// The one reason, the first that applies, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Nip98Error {
    /// Not `Nostr` and the base64 of an event, or larger than any such event is.
    #[error("it is not \"Nostr\" and an event in base64")]
    MalformedCredential,
    /// An event for something else.
    #[error("its event is not of the kind 27235")]
    WrongKind,
    /// `id` or `sig` are not those of the event.
    #[error("its signature does not match")]
    InvalidSignature,
    /// Too old, or from the future.
    #[error("it was not signed just now")]
    OutsideWindow,
    /// Whoever asks has not told which request it came with.
    #[error("the request that it came with is not known")]
    RequestRequired,
    /// Not exactly one tag `u`, or that of another URL.
    #[error("it was signed for another URL")]
    WrongUrl,
    /// Not exactly one tag `method`, or that of another one.
    #[error("it was signed for another method")]
    WrongMethod,
    /// There is a body, and the event does not say which.
    #[error("it does not say which body it was signed for")]
    PayloadRequired,
    /// The event says which body it is for, and whoever asks has not told of any.
    #[error("it was signed for a body, and the request's is not known")]
    PayloadUnknown,
    /// More than one tag `payload`, or that of another body.
    #[error("it was signed for another body")]
    WrongPayload,
    /// Somebody has shown it before.
    #[error("it was used before")]
    AlreadyUsed,
}

impl Nip98Error {
    /// The reason as programs read it: stable, in snake case.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MalformedCredential => "malformed_credential",
            Self::WrongKind => "wrong_kind",
            Self::InvalidSignature => "invalid_signature",
            Self::OutsideWindow => "outside_window",
            Self::RequestRequired => "request_required",
            Self::WrongUrl => "wrong_url",
            Self::WrongMethod => "wrong_method",
            Self::PayloadRequired => "payload_required",
            Self::PayloadUnknown => "payload_unknown",
            Self::WrongPayload => "wrong_payload",
            Self::AlreadyUsed => "already_used",
        }
    }
}

impl From<Nip98Error> for CredentialError {
    fn from(error: Nip98Error) -> Self {
        Self::Rejected { code: error.code(), message: error.to_string() }
    }
}
