//! The store as a thing that is run: its history goes, its room is measured, it is copied and closed.

use std::fmt;

use async_trait::async_trait;

use super::Result;
use crate::clock::{ClockSeen, Timestamp};

/// Up to when history of each kind is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeBefore {
    /// Revocations of tokens that expired before this.
    pub revocations: Timestamp,
    /// Signed requests that could not be shown again from this on.
    pub replays: Timestamp,
    /// Ids of scans that arrived before this.
    pub scans: Timestamp,
    /// Closed challenges that were made before this.
    pub challenges: Timestamp,
    /// Users who scanned before this and never completed a login.
    pub strangers: Timestamp,
    /// Streams that ended before this, with their events and deliveries. A stream stays as long as its
    /// challenges and its session do, and while a delivery of it waits.
    pub streams: Timestamp,
    /// Deliveries begun before this do not keep their stream from going, though they still wait.
    pub deliveries: Timestamp,
    /// Sessions that were ended before this, or never and ran out before this. The streams of the latter count as
    /// ended from when they did.
    pub sessions: Timestamp,
    /// Users who logged in before this and never since, of whom no session is left and whom nobody ever gave a
    /// name, an address, a role or a permission.
    pub users: Timestamp,
    /// Audit records from before this.
    pub audit: Timestamp,
    /// When this is asked: what the audit says of the users that go.
    pub at: Timestamp,
}

/// What keeps a store, and the daemon on it, going.
#[async_trait]
pub trait Upkeep: fmt::Debug + Send + Sync {
    /// What was seen of the wall clock, by the processes before this one too. `None`: nothing yet.
    async fn clock_seen(&self) -> Result<Option<ClockSeen>>;

    /// Remembers that in place of what was seen before.
    async fn see_clock(&self, seen: &ClockSeen) -> Result<()>;

    /// Drops history that is of no more use; returns how many rows went.
    async fn purge(&self, before: &PurgeBefore) -> Result<u64>;

    /// Whether something could be written now.
    async fn check(&self) -> Result<()>;

    /// How much room it takes where it is kept, in bytes. `None`: that cannot be told now.
    fn size(&self) -> Option<u64>;

    /// Waits for what was accepted, then releases the file. Later calls are `Unavailable`.
    async fn close(&self);
}
