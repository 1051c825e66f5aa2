//! Tokens that do not hold any more.

use std::fmt;

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;

/// A token that does not hold any more, by a hash of who signed what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Of a token in Portal's form, the SHA-256 of the signer's key and the SHA-256 of the signing input.
    pub digest: [u8; 32],
    /// When it would have expired; after that the revocation is of no more use.
    pub expires_at: Timestamp,
}

/// What was revoked. A revocation stays for as long as what it names could hold.
#[async_trait]
pub trait Revocations: fmt::Debug + Send + Sync {
    /// Revokes a token; `false`: it was revoked before.
    async fn revoke(&self, revocation: &Revocation, at: Timestamp) -> Result<bool>;

    /// All revocations that still matter at `now`.
    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>>;
}
