//! Revoked tokens.

use std::fmt;

use async_trait::async_trait;

use super::{AuditDraft, Result};
use crate::clock::Timestamp;

/// A revoked token, by a hash of its signer and content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// For a token in Portal's form: the SHA-256 of the signer's key and the SHA-256 of the signing input.
    pub digest: [u8; 32],
    /// When the token expires. After that the revocation is no longer needed.
    pub expires_at: Timestamp,
}

/// The revoked tokens. A revocation stays for as long as its token could be valid.
#[async_trait]
pub trait Revocations: fmt::Debug + Send + Sync {
    /// Revokes a token, with its audit record. Returns `false`, and does nothing, if it was revoked before.
    async fn revoke(&self, revocation: &Revocation, at: Timestamp, audit: &AuditDraft) -> Result<bool>;

    /// All revocations that are still needed at `now`.
    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>>;
}
