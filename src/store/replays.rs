//! Signed requests that were shown.

use std::fmt;

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;

/// A signed request that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// A hash that names it.
    pub digest: [u8; 32],
    /// When it can be shown no more by itself.
    pub expires_at: Timestamp,
}

/// Signed requests that were shown, each for as long as it could be shown again.
#[async_trait]
pub trait Replays: fmt::Debug + Send + Sync {
    /// Uses a signed request up; `false`: it was shown before.
    async fn use_up(&self, request: &Replay) -> Result<bool>;
}
