//! Publications, until they are withdrawn or expire.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use dashmap::DashMap;
use nostr_sdk::prelude::{Event, EventId, RelayUrl};

use crate::clock::Timestamp;

/// A signed event to publish.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The event. It is sent again unchanged: receivers recognise it by its id.
    pub event: Arc<Event>,
    /// Relays to publish to besides those of the operator: the ones that the recipient prefers. Portico
    /// connects to them as needed, if they are acceptable and the limits allow it.
    pub also: Vec<RelayUrl>,
    /// If not empty, publish to these relays only.
    pub only: Vec<RelayUrl>,
    /// When to stop publishing.
    pub expires_at: Timestamp,
}

/// A publication that is neither withdrawn nor expired.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) event: Arc<Event>,
    also: Box<[RelayUrl]>,
    only: Box<[RelayUrl]>,
    expires_at: Timestamp,
    /// Relays that never accept it. Few, and usually none.
    refused_by: Mutex<Vec<RelayUrl>>,
}

impl Open {
    fn new(publication: Publication) -> Self {
        Self {
            event: publication.event,
            also: publication.also.into(),
            only: publication.only.into(),
            expires_at: publication.expires_at,
            refused_by: Mutex::default(),
        }
    }

    /// Whether to send this to a relay that gets every publication (`general`) or only those that name it.
    pub(super) fn is_for(&self, relay: &RelayUrl, general: bool) -> bool {
        let meant = if self.only.is_empty() {
            general || self.also.contains(relay)
        } else {
            self.only.contains(relay)
        };
        meant && !self.refusals().contains(relay)
    }

    /// Records that this relay never accepts it. Returns `false` if that was known.
    pub(super) fn refuse(&self, relay: &RelayUrl) -> bool {
        let mut refusals = self.refusals();
        let new = !refusals.contains(relay);
        if new {
            refusals.push(relay.clone());
        }
        new
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    fn refusals(&self) -> std::sync::MutexGuard<'_, Vec<RelayUrl>> {
        self.refused_by.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All open publications. The publishers bound their number.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    open: DashMap<EventId, Arc<Open>>,
}

impl Outbox {
    /// Opens a publication; replaces one of the same event.
    pub(super) fn insert(&self, publication: Publication) -> Arc<Open> {
        let open = Arc::new(Open::new(publication));
        self.open.insert(open.event.id, Arc::clone(&open));
        open
    }

    pub(super) fn get(&self, id: &EventId) -> Option<Arc<Open>> {
        self.open.get(id).map(|open| Arc::clone(&open))
    }

    /// The number of open publications.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Stops a publication.
    pub(super) fn withdraw(&self, id: &EventId) {
        self.open.remove(id);
    }

    /// The open publications for a relay.
    pub(super) fn open_for(&self, relay: &RelayUrl, general: bool) -> Vec<Weak<Open>> {
        let meant = self.open.iter().filter(|open| open.is_for(relay, general));
        meant.map(|open| Arc::downgrade(&open)).collect()
    }

    /// Drops expired publications.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.open.retain(|_, open| !open.is_expired(now));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use nostr_sdk::prelude::{EventBuilder, Keys, Kind};

    fn publication(also: &[&str], only: Option<&str>) -> Publication {
        let event = EventBuilder::new(Kind::Custom(27000), "").sign_with_keys(&Keys::generate()).unwrap();
        Publication {
            event: Arc::new(event),
            also: also.iter().map(|url| url.parse().unwrap()).collect(),
            only: only.iter().map(|url| url.parse().unwrap()).collect(),
            expires_at: Timestamp::from_secs(100),
        }
    }

    pub(in crate::relay) fn open() -> Arc<Open> {
        Arc::new(Open::new(publication(&[], None)))
    }

    #[test]
    fn a_publication_goes_where_it_is_meant_to_go() {
        let (a, b): (RelayUrl, RelayUrl) =
            ("wss://a.example".parse().unwrap(), "wss://b.example".parse().unwrap());
        let everywhere = Open::new(publication(&[], None));
        let also_a = Open::new(publication(&["wss://a.example/"], None));
        let only_a = Open::new(publication(&[], Some("wss://a.example")));
        // In this order: the operator's relay, a preferred one it names, a preferred one it does not name.
        let goes = |open: &Open| (open.is_for(&b, true), open.is_for(&a, false), open.is_for(&b, false));
        assert_eq!(goes(&everywhere), (true, false, false));
        assert_eq!(goes(&also_a), (true, true, false));
        assert_eq!(goes(&only_a), (false, true, false));
    }

    #[test]
    fn a_relay_that_refused_an_event_does_not_get_it_again() {
        let outbox = Outbox::default();
        let url: RelayUrl = "wss://a.example".parse().unwrap();
        let open = outbox.insert(publication(&[], None));
        assert_eq!(outbox.open_for(&url, true).len(), 1);
        assert!(open.refuse(&url));
        assert!(!open.refuse(&url));
        assert!(outbox.open_for(&url, true).is_empty());
    }

    #[test]
    fn withdrawn_and_expired_publications_are_gone() {
        let outbox = Outbox::default();
        let (one, two) = (outbox.insert(publication(&[], None)), outbox.insert(publication(&[], None)));
        outbox.withdraw(&one.event.id);
        assert!(outbox.get(&one.event.id).is_none());
        outbox.sweep(Timestamp::from_secs(99));
        assert!(outbox.get(&two.event.id).is_some());
        outbox.sweep(Timestamp::from_secs(100));
        assert!(outbox.get(&two.event.id).is_none());
    }
}
