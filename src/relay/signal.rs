//! What the relay side reports to the rest of the daemon, and what it asks.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nostr_sdk::prelude::{Event, EventId, Kind, PublicKey, RelayUrl};

use super::queue::Turn;
use super::room;

/// Something that came from the relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// An event for us: its kind is one that we subscribed to, it names one of our keys, its id and signature
    /// are verified, and it is new. Its age and content are not checked.
    Event {
        /// The event.
        event: Box<Event>,
        /// The relay that delivered it first.
        relay: RelayUrl,
        /// The space reserved for this event among those not handled yet. Keep it until the event is handled:
        /// the next event of its author from this relay waits for that.
        reservation: Reservation,
    },
    /// A relay will not accept an open publication, now or later. Temporary refusals (`rate-limited:`,
    /// `auth-required:`, `error:`) are not reported: the event is sent again.
    Refused {
        /// The event.
        event_id: EventId,
        /// The relay.
        relay: RelayUrl,
        /// The relay's reason, shortened, for people.
        reason: String,
        /// Whether the reason is the event's age: the relay would accept a newer event.
        too_old: bool,
    },
}

/// Space reserved for an event that is not handled yet: bytes are bounded, and so is each author to one event
/// at a time from each relay.
#[derive(Debug, Clone)]
pub struct Reservation(
    #[expect(dead_code, reason = "what counts is when it is dropped")] Arc<(room::Reserved, Turn)>,
);

impl Reservation {
    pub(super) fn new(reserved: room::Reserved, turn: Turn) -> Self {
        Self(Arc::new((reserved, turn)))
    }
}

/// A reservation that belongs to no event.
impl PartialEq for Reservation {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reservation {}

/// Handles the signals of the relays.
pub trait Handler: Send + Sync {
    /// Handles one signal. The worker that verified the event polls the future, together with others. It drops
    /// the future if the relay is removed or the daemon stops. Work that must not be interrupted needs its own
    /// protection against that.
    fn handle(&self, signal: Signal) -> BoxFuture<'static, ()>;
}

impl<F: Fn(Signal) -> BoxFuture<'static, ()> + Send + Sync> Handler for F {
    fn handle(&self, signal: Signal) -> BoxFuture<'static, ()> {
        self(signal)
    }
}

/// Whether Portico waits for an event of this author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Portico does not wait for an event of this kind.
    Unwanted,
    /// The author is unknown, and may send an event that matters.
    Stranger,
    /// Portico asked this author and waits for the answer.
    WaitedFor,
}

/// Decides cheaply whether an event is worth verifying.
pub trait Gate: Send + Sync {
    /// The interest in an event with the kind and the author that it claims. Called for every event of every
    /// relay, on the network loop: one or two look-ups, no waiting.
    fn interest(&self, _kind: Kind, _author: &PublicKey) -> Interest {
        Interest::Stranger
    }

    /// Whether this event may be of interest. Nothing about it is verified yet. Called for every event of
    /// every relay, on many threads: one or two look-ups, no cryptography, no waiting.
    fn admits(&self, event: &Event) -> bool;
}

impl<F: Fn(&Event) -> bool + Send + Sync> Gate for F {
    fn admits(&self, event: &Event) -> bool {
        self(event)
    }
}
