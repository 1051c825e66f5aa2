//! Streams of events: what happened to a request, stored before it is published.
//!
//! `portal` writes an event in the same transaction as the change that it reports ([`Events::draft`]), then
//! publishes it. Readers page through the store ([`Events::read`]) or follow live ([`Events::follow`]).

mod follow;
mod login;
mod model;
mod vault;

use std::sync::Arc;

pub use follow::Follower;
pub use login::{LoggedIn, Member, OpenSession};
pub use model::{Event, EventBody, FailureCode, RequestKind, WalletClaims};

pub use crate::store::StreamId;

use crate::clock::Timestamp;
use crate::protocol::Sealer;
use crate::store::{EventDraft, StoreError, StoredEvent, Streams};
use follow::Hub;
use vault::Vault;

/// The largest number of events in one read.
pub const MAX_PAGE: usize = 1000;

/// Reads, follows and publishes streams of events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    store: Arc<dyn Streams>,
    vault: Vault,
    hub: Arc<Hub>,
}

/// Part of a stream.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// The events, in order; at most [`MAX_PAGE`].
    pub events: Vec<Event>,
    /// Whether the stream has ended. Its last event may lie beyond a full page.
    pub ended: bool,
    /// Index of the stream's latest event, as far as it was read; 0: it has none yet.
    pub latest: u64,
}

impl EventPage {
    /// The failure of a handshake, if it ended with one and nothing else.
    pub fn unscanned(&self) -> Option<(FailureCode, &str)> {
        match &self.events[..] {
            [Event { body: EventBody::Error { reason, code, request, .. }, .. }] if self.ended => {
                (*request == Some(RequestKind::KeyHandshake)).then_some((*code, reason))
            }
            _ => None,
        }
    }
}

impl Events {
    /// Streams in `store`, their secrets sealed with the service's key.
    pub fn new(store: Arc<dyn Streams>, sealer: Arc<Sealer>) -> Self {
        Self { store, vault: Vault::new(sealer), hub: Arc::new(Hub::default()) }
    }

    /// An event in the form of the store, with its secrets sealed.
    pub fn draft(&self, at: Timestamp, body: &EventBody) -> Result<EventDraft, StoreError> {
        Ok(EventDraft { at, body: self.vault.seal(body)? })
    }

    /// One event. `None`: no such event.
    pub async fn one(&self, stream: StreamId, index: u64) -> Result<Option<Event>, StoreError> {
        let Some(before) = index.checked_sub(1) else { return Ok(None) };
        let Some(page) = self.store.events_after(stream, before, 1).await? else { return Ok(None) };
        let found = page.events.into_iter().find(|stored| stored.index == index);
        found.map(|stored| self.opened(stored)).transpose()
    }

    /// Resolves when an event of any stream was published since the last call. For one listener.
    pub async fn appended(&self) {
        self.hub.appended().await;
    }

    /// A stream was started in the store: a follower from its start need not read it first.
    pub fn begin(&self, stream: StreamId) {
        self.hub.begin(stream);
    }

    /// A stream advanced without [`Events::publish`]: its followers read the store.
    pub fn doubt(&self, stream: StreamId) {
        self.hub.doubt(stream);
    }

    /// Sends a stored event to its followers. `ended`: it is the last one of the stream.
    pub fn publish(&self, stream: StreamId, stored: &StoredEvent, body: EventBody, ended: bool) {
        self.hub.publish(stream, Event { index: stored.index, timestamp: stored.at, body }, ended);
    }

    /// The events after index `after`. `None`: no such stream.
    pub async fn read(&self, stream: StreamId, after: u64) -> Result<Option<EventPage>, StoreError> {
        let Some(page) = self.store.events_after(stream, after, MAX_PAGE).await? else { return Ok(None) };
        let events = page.events.into_iter().map(|stored| self.opened(stored));
        Ok(Some(EventPage {
            events: events.collect::<Result<_, StoreError>>()?,
            ended: page.ended,
            latest: page.latest,
        }))
    }

    /// Every event after index `after`, including future ones, each exactly once.
    /// `None`: no such stream.
    pub async fn follow(&self, stream: StreamId, after: u64) -> Result<Option<Follower>, StoreError> {
        Follower::start(self.clone(), stream, after).await
    }

    /// A stored event in the form for callers.
    fn opened(&self, stored: StoredEvent) -> Result<Event, StoreError> {
        let body = self.vault.open(&stored.body)?;
        Ok(Event { index: stored.index, timestamp: stored.at, body })
    }
}
