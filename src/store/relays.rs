//! The operator's changes to the relays at run time.

use std::fmt;

use async_trait::async_trait;

use super::{AuditDraft, Result};
use crate::clock::Timestamp;

/// A change to the relays at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayChange {
    /// Added to the relays of the configuration.
    Added,
    /// Removed, even if the configuration lists it.
    Removed,
}

/// The operator's changes to the relays of the configuration. They are valid until they are deleted.
#[async_trait]
pub trait OperatorRelays: fmt::Debug + Send + Sync {
    /// Stores that a relay was added or removed at run time, with its audit record.
    async fn change_relay(
        &self,
        url: &str,
        change: RelayChange,
        at: Timestamp,
        audit: &AuditDraft,
    ) -> Result<()>;

    /// Deletes the change of a relay: the configuration decides again. `audit`: its record, if somebody asked for it.
    async fn forget_relay_change(&self, url: &str, audit: Option<&AuditDraft>) -> Result<()>;

    /// The valid changes, one for each changed relay, in the order in which they were made.
    async fn relay_changes(&self) -> Result<Vec<(String, RelayChange)>>;
}
