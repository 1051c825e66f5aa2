//! Where the frames of one relay part ways: ours to us, the rest of the protocol to nostr-sdk.
//!
//! nostr-sdk keeps the connection and answers NIP-42; of what a relay sends it sees only what it needs for
//! that. It would verify events under one lock for all relays, believe a known id without looking at the
//! signature, forget a subscription that the relay closed, and log malformed frames whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use nostr_sdk::prelude::{EventId, JsonUtil, RelayMessage, RelayUrl};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::budget::{Budget, Waste};
use super::frame::{self, Frame};
use super::health::{Health, Origin};
use super::inbound::{Inbound, Look};
use super::listen::shortened;
use super::questions::Questions;
use super::queue::Queue;
use super::raw::MAX_EVENT;

/// The id of our one long-lived subscription on each connection.
pub(super) const SUBSCRIPTION: &str = "portico";

/// How many control frames of one connection wait to be handled before more are dropped …
const CONTROL_QUEUE: usize = 1024;

/// … and on one to a relay that a wallet named.
const CONTROL_QUEUE_OF_STRANGERS: usize = 64;

/// What all connections to one relay, made one after the other, share.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) url: RelayUrl,
    pub(super) origin: Origin,
    /// Named by a stranger: connect to public addresses only.
    pub(super) public_only: bool,
    pub(super) health: Health,
    /// Questions of ours that wait for an answer, besides the subscription.
    pub(super) questions: Questions,
    /// Frames were dropped; what they said must be had otherwise.
    pub(super) lost: Notify,
    /// A frame went out.
    pub(super) drained: Notify,
    /// It sends so much that is forged, or that nobody asked for, that it must mean to.
    pub(super) hostile: Notify,
    /// `EVENT` frames of our subscription.
    pub(super) events: Queue,
    inbound: Arc<Inbound>,
    budget: Budget,
    /// Attempts to connect since the relay was last ready.
    attempts: AtomicU32,
    /// The relay has not shown that it holds our subscription, and silence would not show it.
    doubted: AtomicBool,
    /// … and the next event of it would.
    awaits_event: AtomicBool,
    connections: mpsc::UnboundedSender<Connection>,
}

/// Whose relay it is, and where.
#[derive(Debug)]
pub(super) struct Whose {
    pub(super) url: RelayUrl,
    pub(super) origin: Origin,
    /// Connect to public addresses only.
    pub(super) public_only: bool,
}

/// One connection, as the task that looks after the relay sees it: it ends when `controls` does.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) controls: mpsc::Receiver<Control>,
}

/// Something other than an event happened on a connection.
#[derive(Debug)]
pub(super) enum Control {
    /// The relay has sent all it had stored for our subscription.
    Eose,
    /// An event of our subscription came, and shows that it is open.
    Delivered,
    /// It has closed our subscription. Its reason, shortened, for people.
    Closed(String),
    /// It has taken an event, or refused it. Its reason, shortened, for people.
    Verdict { id: EventId, accepted: bool, reason: String },
    /// It has something to say. Shortened, for people.
    Notice(String),
    /// The relay asked us to log in (NIP-42).
    LoginAskedFor,
    /// … and accepted our login.
    Authenticated,
}

impl Tap {
    /// A tap that lets `queue` event frames wait, and where each connection comes out when it is made. (Not
    /// bounded, but paced by the making of connections.)
    pub(super) fn new(
        whose: Whose,
        inbound: Arc<Inbound>,
        health: Health,
        queue: usize,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Connection>) {
        let (connections, outlet) = mpsc::unbounded_channel();
        let Whose { url, origin, public_only } = whose;
        let tap = Self {
            url,
            origin,
            public_only,
            health,
            questions: Questions::default(),
            lost: Notify::new(),
            drained: Notify::new(),
            hostile: Notify::new(),
            events: Queue::new(queue),
            budget: Budget::new(Arc::clone(&inbound.shares), origin),
            inbound,
            attempts: AtomicU32::new(0),
            doubted: AtomicBool::new(false),
            awaits_event: AtomicBool::new(false),
            connections,
        };
        (Arc::new(tap), outlet)
    }

    /// How many attempts to connect there have been since the relay was last ready; this is one more.
    pub(super) fn attempt(&self) -> u32 {
        self.attempts.fetch_add(1, Ordering::Relaxed)
    }

    /// The relay is ready: forget failed attempts.
    pub(super) fn settled(&self) {
        self.attempts.store(0, Ordering::Relaxed);
    }

    /// Does the relay hold our subscription? `awaits_event`: an event of it would be an answer.
    pub(super) fn doubt(&self, doubted: bool, awaits_event: bool) {
        self.doubted.store(doubted, Ordering::Release);
        self.awaits_event.store(awaits_event, Ordering::Release);
    }

    /// So it was left by [`Tap::doubt`].
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Acquire)
    }

    /// There is a connection. What it yields goes to whoever looks after the relay.
    pub(super) fn connected(&self) -> mpsc::Sender<Control> {
        let is_ours = self.origin == Origin::Operator;
        let queue = if is_ours { CONTROL_QUEUE } else { CONTROL_QUEUE_OF_STRANGERS };
        let (sender, controls) = mpsc::channel(queue);
        self.health.tally.connected.up();
        // Nobody looks after the relay any more: it is being removed, and the connection ends with it.
        let _ = self.connections.send(Connection { controls });
        sender
    }

    /// The relay sent something that came to nothing: that counts against it.
    pub(super) fn charge(&self, waste: Waste) {
        self.spend(waste.cost());
    }

    /// What the relay sent took so much of a processor, and came to nothing.
    pub(super) fn spend(&self, cost: Duration) {
        let now = Instant::now();
        self.budget.spend(cost, now);
        self.inbound.senders.spent(cost, now);
    }

    /// The relay sent what can only be its own doing.
    pub(super) fn lied(&self) {
        if self.budget.lied(Instant::now()) {
            self.hostile.notify_one();
        }
    }

    /// Until when nothing of this relay is to be looked at, if it has used up its share.
    pub(super) fn rest_until(&self) -> Option<Instant> {
        self.budget.rest_until(Instant::now())
    }

    /// Returns when something of this relay may be looked at again: at once, unless it has used up its share.
    pub(super) async fn rest(&self) {
        if let Some(until) = self.rest_until() {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Take a frame that is ours; give back what is nostr-sdk's. `login` is the id of the event by which
    /// nostr-sdk last logged in on this connection. Runs on the network loop: nothing here waits or reads
    /// more than the beginning of a frame, and what is kept of one that is no event is short.
    pub(super) fn sort(
        &self,
        text: Utf8Bytes,
        controls: &mpsc::Sender<Control>,
        login: Option<&str>,
    ) -> Option<Utf8Bytes> {
        match frame::sniff(&text) {
            Frame::Event { .. } if text.len() > MAX_EVENT => self.too_long(),
            Frame::Event { subscription } if subscription == SUBSCRIPTION => {
                if self.event(&text) && self.awaits_event.swap(false, Ordering::AcqRel) {
                    self.control(controls, Control::Delivered);
                }
            }
            Frame::Event { subscription } => match self.events.hold(&text, self.max_queued()) {
                Some(held) => {
                    if !self.questions.event(&subscription, held) {
                        self.garbage();
                    }
                }
                None => self.lose(1),
            },
            Frame::Eose { subscription } if subscription == SUBSCRIPTION => {
                self.control(controls, Control::Eose);
            }
            Frame::Closed { subscription, reason }
                if subscription.as_ref().is_none_or(|subscription| subscription == SUBSCRIPTION) =>
            {
                self.control(controls, Control::Closed(shortened(&reason)));
            }
            Frame::Eose { subscription } | Frame::Closed { subscription: Some(subscription), .. } => {
                self.questions.end(&subscription);
            }
            Frame::Auth { challenge } => {
                // A relay that asks all the time would have us sign all the time.
                if self.rest_until().is_some() {
                    self.garbage();
                    return None;
                }
                // One is asked for on a connection, or a few.
                self.lied();
                self.charge(Waste::Login);
                self.control(controls, Control::LoginAskedFor);
                return Some(RelayMessage::auth(challenge).as_json().into());
            }
            Frame::Ok { id, accepted, reason } => match EventId::from_hex(&id) {
                Ok(event) if login == Some(&*id) => {
                    if accepted {
                        self.control(controls, Control::Authenticated);
                    }
                    return Some(RelayMessage::ok(event, accepted, reason).as_json().into());
                }
                Ok(id) => {
                    let reason = shortened(&reason);
                    self.control(controls, Control::Verdict { id, accepted, reason });
                }
                Err(_) => self.garbage(),
            },
            Frame::Notice { text } => self.control(controls, Control::Notice(shortened(&text))),
            Frame::Closed { subscription: None, .. } | Frame::Unknown => self.garbage(),
        }
        None
    }

    /// An event of our subscription waits to be verified, if somebody may want it. `false`: it is none.
    fn event(&self, text: &str) -> bool {
        let tally = &self.health.tally;
        tally.received.up();
        match self.inbound.look(text) {
            Look::Unasked => {
                self.garbage();
                return false;
            }
            Look::Unwanted => tally.unwanted.up(),
            Look::Duplicate => tally.duplicates.up(),
            Look::Perhaps { author, level } => {
                let lost = self.events.push(text, author, level, self.max_queued());
                if lost > 0 {
                    self.lose(lost);
                }
            }
        }
        true
    }

    fn max_queued(&self) -> usize {
        self.inbound.shares.queued(self.origin)
    }

    /// Malformed, or never asked for.
    pub(super) fn garbage(&self) {
        self.health.tally.garbage.up();
        self.lied();
    }

    /// Longer than anything that the protocol can carry. It is somebody else's text that an honest relay
    /// passes on.
    fn too_long(&self) {
        self.health.tally.garbage.up();
    }

    fn control(&self, controls: &mpsc::Sender<Control>, control: Control) {
        if controls.try_send(control).is_err() {
            self.lose(1);
        }
    }

    fn lose(&self, frames: u64) {
        self.health.tally.dropped.add(frames);
        self.lost.notify_one();
    }
}

#[cfg(test)]
mod tests;
