//! What the operator did to the set of relays at run time.

use std::fmt;

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;

/// What an operator did to the set of relays at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayChange {
    /// Added to those of the configuration.
    Added,
    /// Removed, wherever it came from.
    Removed,
}

/// The operator's changes to the relays of the configuration. They hold until they are forgotten.
#[async_trait]
pub trait OperatorRelays: fmt::Debug + Send + Sync {
    /// Remembers that a relay was added or removed at run time.
    async fn change_relay(&self, url: &str, change: RelayChange, at: Timestamp) -> Result<()>;

    /// Forgets what was done to a relay at run time: it is as the configuration has it.
    async fn forget_relay_change(&self, url: &str) -> Result<()>;

    /// The changes that hold, one for each relay that was changed, in the order in which they were made.
    async fn relay_changes(&self) -> Result<Vec<(String, RelayChange)>>;
}
