//! Streams of events: each reports one request or one session, and callers follow it.

use std::fmt;

use async_trait::async_trait;

use super::{Result, StreamId};
use crate::clock::Timestamp;

/// A new event without an index yet. The store does not read the JSON text of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// When it happened.
    pub at: Timestamp,
    /// The event as JSON; its secrets are sealed already.
    pub body: String,
}

/// An event in its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its index in the stream: 1, 2, 3 … without gaps.
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
    /// Whether the stream has ended (its last event may lie beyond this page).
    pub ended: bool,
    /// Index of the stream's latest event (may lie beyond this page); 0: it has none yet.
    pub latest: u64,
}

/// Streams of any kind. They are created together with their request or session ([`Logins`](super::Logins),
/// [`Accounts`](super::Accounts)).
#[async_trait]
pub trait Streams: fmt::Debug + Send + Sync {
    /// Ends a stream with its last event, and with it the stream's open handshake and challenges. `None`: it
    /// had ended already, or does not exist.
    async fn end_stream(&self, stream: StreamId, last: &EventDraft) -> Result<Option<StoredEvent>>;

    /// At most `limit` events of a stream after index `after`. `None`: no such stream.
    async fn events_after(&self, stream: StreamId, after: u64, limit: usize) -> Result<Option<Page>>;
}
