//! What the relay side tells the rest of the daemon, and what it asks.

use nostr_sdk::prelude::{Event, EventId, RelayUrl};

/// Something the relays brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// An event for us: of a kind we subscribed to, naming one of our keys, id and signature verified, and
    /// new. Nothing is said about its age or its content.
    Event {
        /// The event.
        event: Box<Event>,
        /// The relay that was first to bring it.
        relay: RelayUrl,
    },
    /// A relay will not take an open publication, now or later. Refusals for a time (`rate-limited:`,
    /// `auth-required:`, `error:`) are not told: it is sent again.
    Refused {
        /// The event.
        event_id: EventId,
        /// The relay.
        relay: RelayUrl,
        /// Its reason, shortened, for people.
        reason: String,
        /// Because of its age: a newer event would be taken.
        too_old: bool,
    },
}

/// Says cheaply whether an event is worth verifying.
pub trait Gate: Send + Sync {
    /// Could anybody here be interested in this event? Nothing about it is verified yet. Called for every
    /// event any relay sends, on many threads: a look-up or two, no cryptography, no waiting.
    fn admits(&self, event: &Event) -> bool;
}

impl<F: Fn(&Event) -> bool + Send + Sync> Gate for F {
    fn admits(&self, event: &Event) -> bool {
        self(event)
    }
}
