//! The reasons why Portico rejects a signed request.

use thiserror::Error;

use crate::wallet::CredentialError;

words! {
    /// Why a request was rejected: the first reason that applies, in the order of the variants.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
    pub enum Nip98Error: code {
        /// The header is not `Nostr` and the base64 of an event, or it is too long.
        #[error("it is not \"Nostr\" and an event in base64")]
        MalformedCredential = "malformed_credential",
        /// The event has another kind.
        #[error("its event does not have the kind 27235")]
        WrongKind = "wrong_kind",
        /// `id` or `sig` do not match the event.
        #[error("its signature does not match")]
        InvalidSignature = "invalid_signature",
        /// The event is too old, or from the future.
        #[error("it was not signed just now")]
        OutsideWindow = "outside_window",
        /// The caller did not report the user's request.
        #[error("the request that it came with is unknown")]
        RequestRequired = "request_required",
        /// The event does not have exactly one tag `u`, or its URL is another one.
        #[error("it was signed for another URL")]
        WrongUrl = "wrong_url",
        /// The event does not have exactly one tag `method`, or its method is another one.
        #[error("it was signed for another method")]
        WrongMethod = "wrong_method",
        /// The request has a body, and the event has no hash of a body.
        #[error("it has no hash of the request's body")]
        PayloadRequired = "payload_required",
        /// The event has the hash of a body, and the caller did not report the hash of the request's body.
        #[error("it was signed for a body, and the body of the request is unknown")]
        PayloadUnknown = "payload_unknown",
        /// The event has more than one tag `payload`, or its hash is another one.
        #[error("it was signed for another body")]
        WrongPayload = "wrong_payload",
        /// The event was used before.
        #[error("it was used before")]
        AlreadyUsed = "already_used",
    }
}

impl From<Nip98Error> for CredentialError {
    fn from(error: Nip98Error) -> Self {
        Self::Rejected { code: error.code(), message: error.to_string() }
    }
}
