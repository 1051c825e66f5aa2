//! Streams of events: each tells of one request or one session, and is what callers follow.

use std::fmt;

use async_trait::async_trait;

use super::{Result, StreamId};
use crate::clock::Timestamp;

/// An event before it has a place in its stream. The body is JSON text that the store does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// When it happened.
    pub at: Timestamp,
    /// The event as JSON; secrets in it are sealed already.
    pub body: String,
}

/// An event in its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the stream: 1, 2, 3 … without gaps.
    pub index: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The event as JSON.
    pub body: String,
}

/// Part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The events, in order.
    pub events: Vec<StoredEvent>,
    /// Whether the stream has had its last event (which may lie beyond this page).
    pub ended: bool,
    /// Index of the stream's latest event (which may lie beyond this page); 0: there is none yet.
    pub latest: u64,
}

/// Streams, whatever they tell of. They begin with what they tell of ([`Logins`](super::Logins),
/// [`Accounts`](super::Accounts)).
#[async_trait]
pub trait Streams: fmt::Debug + Send + Sync {
    /// Ends a stream with its last event, and whatever is open on it: its handshake, its challenges.
    /// `None`: it had ended already, or never was.
    async fn end_stream(&self, stream: StreamId, last: &EventDraft) -> Result<Option<StoredEvent>>;

    /// At most `limit` events of a stream behind index `after`. `None`: no such stream.
    async fn events_after(&self, stream: StreamId, after: u64, limit: usize) -> Result<Option<Page>>;
}
