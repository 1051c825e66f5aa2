//! Texts that users were asked to sign: each is valid once, for a limited time.

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;

/// The SHA-256 of a text.
pub type TextDigest = [u8; 32];

/// Texts that wait for a signature.
#[async_trait]
pub trait SignIns: std::fmt::Debug + Send + Sync {
    /// Stores a text until `until`, and deletes some texts that have expired at `now`. Returns `Some` if
    /// there are `max` texts already: then nothing is stored, and the first text expires at this time.
    async fn offer_sign_in(
        &self,
        text: &TextDigest,
        expires_at: Timestamp,
        now: Timestamp,
        max: usize,
    ) -> Result<Option<Timestamp>>;

    /// Uses a text up. Returns `false` if it was used before, has expired, or is unknown.
    async fn take_sign_in(&self, text: &TextDigest) -> Result<bool>;
}
