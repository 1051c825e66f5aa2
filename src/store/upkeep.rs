//! Maintenance of the store: delete old history, measure its size, close it.

use std::fmt;

use async_trait::async_trait;

use super::Result;
use crate::clock::{ClockSeen, Timestamp};

/// For each kind of history, the moment before which it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeBefore {
    /// Revocations of tokens that expired before this.
    pub revocations: Timestamp,
    /// Signed requests that could not be replayed from this moment on.
    pub replays: Timestamp,
    /// Ids of scans that arrived before this.
    pub scans: Timestamp,
    /// Closed challenges that were created before this.
    pub challenges: Timestamp,
    /// Users who scanned before this and never completed a login.
    pub strangers: Timestamp,
    /// Streams that ended before this, with their events and deliveries. A stream stays as long as its
    /// challenges and its session stay, and while a delivery of it waits.
    pub streams: Timestamp,
    /// Deliveries that began before this do not keep their stream, even if they still wait.
    pub deliveries: Timestamp,
    /// Sessions that were ended before this, or expired before this. The stream of an expired session counts
    /// as ended from its expiry.
    pub sessions: Timestamp,
    /// Users who logged in before this and not since, have no session left, and never got a name, an address,
    /// a role or a permission.
    pub users: Timestamp,
    /// Audit records before this.
    pub audit: Timestamp,
    /// The time of the deletion, for the audit records of deleted users.
    pub at: Timestamp,
}

/// Maintenance of the store.
#[async_trait]
pub trait Upkeep: fmt::Debug + Send + Sync {
    /// The last known state of the wall clock, also from earlier processes. `None`: none was stored.
    async fn clock_seen(&self) -> Result<Option<ClockSeen>>;

    /// Stores the state of the wall clock in place of the previous one.
    async fn see_clock(&self, seen: &ClockSeen) -> Result<()>;

    /// Deletes old history; returns the number of deleted rows.
    async fn purge(&self, before: &PurgeBefore) -> Result<u64>;

    /// Whether the store can be read and written now.
    async fn check(&self) -> Result<()>;

    /// How much room it takes where it is kept, in bytes. `None`: that cannot be told now.
    async fn size(&self) -> Option<u64>;

    /// Waits for accepted writes, then releases the file. Later calls fail with `Unavailable`.
    async fn close(&self);
}
