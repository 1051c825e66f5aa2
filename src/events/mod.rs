//! Streams of events: what happened to a request, kept before it is told.
//!
//! `auth` writes an event in the same transaction as the change it reports ([`Events::draft`]), then
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

/// How many events one read returns at most.
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
    /// Whether the stream has had its last event. It may lie beyond a page that is full.
    pub ended: bool,
    /// Index of the stream's latest event, as far as it was looked for; 0: there is none yet.
    pub latest: u64,
}

impl EventPage {
    /// Why a handshake came to nothing, if that is all there is to tell.
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

    /// An event that the store can take, its secrets sealed.
    pub fn draft(&self, at: Timestamp, body: &EventBody) -> Result<EventDraft, StoreError> {
        Ok(EventDraft { at, body: self.vault.seal(body)? })
    }

    /// One event. `None`: there is no such event.
    pub async fn one(&self, stream: StreamId, index: u64) -> Result<Option<Event>, StoreError> {
        let Some(before) = index.checked_sub(1) else { return Ok(None) };
        let Some(page) = self.store.events_after(stream, before, 1).await? else { return Ok(None) };
        let found = page.events.into_iter().find(|stored| stored.index == index);
        found.map(|stored| self.opened(stored)).transpose()
    }

    /// Resolves when an event was published, on any stream, since this resolved last. For one listener.
    pub async fn appended(&self) {
        self.hub.appended().await;
    }

    /// A stream was begun in the store: whoever follows it from its start need not look there first.
    pub fn begin(&self, stream: StreamId) {
        self.hub.begin(stream);
    }

    /// A stream was found to have moved on without [`Events::publish`]: its followers look into the store.
    pub fn doubt(&self, stream: StreamId) {
        self.hub.doubt(stream);
    }

    /// Tells followers of an event that the store has kept. `ended`: it was the stream's last.
    pub fn publish(&self, stream: StreamId, stored: &StoredEvent, body: EventBody, ended: bool) {
        self.hub.publish(stream, Event { index: stored.index, timestamp: stored.at, body }, ended);
    }

    /// The events behind index `after`. `None`: there is no such stream.
    pub async fn read(&self, stream: StreamId, after: u64) -> Result<Option<EventPage>, StoreError> {
        let Some(page) = self.store.events_after(stream, after, MAX_PAGE).await? else { return Ok(None) };
        let events = page.events.into_iter().map(|stored| self.opened(stored));
        Ok(Some(EventPage {
            events: events.collect::<Result<_, StoreError>>()?,
            ended: page.ended,
            latest: page.latest,
        }))
    }

    /// Every event behind index `after`, those to come included, none lost and none twice.
    /// `None`: there is no such stream.
    pub async fn follow(&self, stream: StreamId, after: u64) -> Result<Option<Follower>, StoreError> {
        Follower::start(self.clone(), stream, after).await
    }

    /// A stored event as callers see it.
    fn opened(&self, stored: StoredEvent) -> Result<Event, StoreError> {
        let body = self.vault.open(&stored.body)?;
        Ok(Event { index: stored.index, timestamp: stored.at, body })
    }
}
