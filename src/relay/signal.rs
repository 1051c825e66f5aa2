//! What the relay side tells the rest of the daemon, and what it asks.

use std::sync::Arc;

use nostr_sdk::prelude::{Event, EventId, Kind, PublicKey, RelayUrl};

use super::queue::Turn;
use super::room;

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
        /// Its room among the events that are on their way. To be kept until the event is handled: the next event of
        /// its author that this relay brings comes after.
        reservation: Reservation,
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

/// Room reserved among the events that are on their way: there is only so much room, in bytes, and one event at a time
/// for each author at each relay.
#[derive(Debug, Clone)]
pub struct Reservation(
    #[expect(dead_code, reason = "what counts is when it is dropped")] Arc<(room::Reserved, Turn)>,
);

impl Reservation {
    pub(super) fn new(reserved: room::Reserved, turn: Turn) -> Self {
        Self(Arc::new((reserved, turn)))
    }
}

/// It says nothing about the event.
impl PartialEq for Reservation {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reservation {}

/// Whether somebody here is interested in what an author may have to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Nobody, in an event of this kind.
    Unwanted,
    /// Perhaps.
    Stranger,
    /// They were asked, and an answer is waited for.
    WaitedFor,
}

/// Says cheaply whether an event is worth verifying.
pub trait Gate: Send + Sync {
    /// What is known of an event by the kind and the author that it claims. Called for every event any relay
    /// sends, on the loop that reads from the network: a look-up or two, no waiting.
    fn interest(&self, _kind: Kind, _author: &PublicKey) -> Interest {
        Interest::Stranger
    }

    /// Could anybody here be interested in this event? Nothing about it is verified yet. Called for every
    /// event any relay sends, on many threads: a look-up or two, no cryptography, no waiting.
    fn admits(&self, event: &Event) -> bool;
}

impl<F: Fn(&Event) -> bool + Send + Sync> Gate for F {
    fn admits(&self, event: &Event) -> bool {
        self(event)
    }
}
