//! Texts that users were given to sign: each serves once, and not for long.

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;

/// The SHA-256 of a text.
pub type TextDigest = [u8; 32];

/// Texts that wait to be signed.
#[async_trait]
pub trait SignIns: std::fmt::Debug + Send + Sync {
    /// Remembers a text until then, and forgets some that have expired at `now`. `Some`: there are `max` of them, and
    /// nothing was done; the first expires at this time.
    async fn offer_sign_in(
        &self,
        text: &TextDigest,
        expires_at: Timestamp,
        now: Timestamp,
        max: usize,
    ) -> Result<Option<Timestamp>>;

    /// Uses a text up; `false`: it was used before, has been forgotten, or never was.
    async fn take_sign_in(&self, text: &TextDigest) -> Result<bool>;
}
