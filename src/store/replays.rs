//! Signed requests that were used.

use std::fmt;

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;

/// A signed request that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// A hash of the request.
    pub digest: [u8; 32],
    /// When the request itself becomes invalid.
    pub expires_at: Timestamp,
}

/// Used signed requests, each kept for as long as it could be replayed.
#[async_trait]
pub trait Replays: fmt::Debug + Send + Sync {
    /// Uses a signed request up. Returns `false` if it was used before.
    async fn use_up(&self, request: &Replay) -> Result<bool>;
}
