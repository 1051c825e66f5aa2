//! Sorts the frames of one relay by their beginning.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nostr_sdk::prelude::{EventId, RelayUrl};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::budget::{Budget, Waste};
use super::frame::{self, Frame};
use super::health::{Health, Origin};
use super::inbound::{Inbound, Look};
use super::listen::shortened;
use super::questions::{self, Questions};
use super::queue::Queue;
use super::raw::MAX_EVENT;

/// The id of our one long-lived subscription on each connection.
pub(super) const SUBSCRIPTION: &str = "portico";

/// How many control frames of one connection wait to be handled before more are dropped …
const CONTROL_QUEUE: usize = 1024;

/// … and on one to a relay that a wallet named.
const CONTROL_QUEUE_OF_STRANGERS: usize = 64;

/// State that outlives a connection: all connections to one relay share it.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) url: RelayUrl,
    pub(super) origin: Origin,
    /// A wallet named this relay: connect to public addresses only.
    pub(super) public_only: bool,
    pub(super) health: Health,
    /// Questions of ours that wait for an answer, besides the subscription.
    pub(super) questions: Questions,
    /// Frames were dropped; Portico must ask for their content again.
    pub(super) lost: Notify,
    /// A frame went out.
    pub(super) drained: Notify,
    /// The relay sends so many forged or unrequested events that it is treated as hostile.
    pub(super) hostile: Notify,
    /// `EVENT` frames of our subscription.
    pub(super) events: Queue,
    inbound: Arc<Inbound>,
    budget: Budget,
    /// The relay has not shown that it holds our subscription, and silence would not show it.
    doubted: AtomicBool,
    /// … and its next event would show it.
    awaits_event: AtomicBool,
    /// A [`Control::Strange`] waits to be handled. One is enough, and a flood must not fill the queue.
    strange: AtomicBool,
}

/// The relay: its URL, and who named it.
#[derive(Debug)]
pub(super) struct Whose {
    pub(super) url: RelayUrl,
    pub(super) origin: Origin,
    /// Connect to public addresses only.
    pub(super) public_only: bool,
}

/// One connection, for the task that looks after the relay. It ends when `controls` ends; to drop it ends it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) controls: mpsc::Receiver<Control>,
    /// Takes messages to the relay, in batches.
    pub(super) outgoing: mpsc::Sender<Vec<String>>,
}

/// Something other than an event happened on a connection.
#[derive(Debug)]
pub(super) enum Control {
    /// The relay has sent all its stored events of our subscription.
    Eose,
    /// An event of our subscription arrived and shows that it is open.
    Delivered,
    /// The relay closed our subscription. Its reason, shortened, for people.
    Closed(String),
    /// The relay accepted or refused an event. Its reason, shortened, for people.
    Verdict { id: EventId, accepted: bool, reason: String },
    /// A notice of the relay. Shortened, for people.
    Notice(String),
    /// The relay sent something that Portico did not ask for or does not know. The beginning, shortened, for
    /// people. `may_end`: it may mean the end of our subscription.
    Strange { frame: String, may_end: bool },
    /// The relay asked for a login (NIP-42).
    LoginAskedFor,
    /// … and accepted it.
    Authenticated,
    /// … and refused it. Its reason, shortened, for people.
    LoginRefused(String),
}

impl Tap {
    /// A tap with room for `queue` event frames.
    pub(super) fn new(whose: Whose, inbound: Arc<Inbound>, health: Health, queue: usize) -> Arc<Self> {
        let Whose { url, origin, public_only } = whose;
        Arc::new(Self {
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
            doubted: AtomicBool::new(false),
            awaits_event: AtomicBool::new(false),
            strange: AtomicBool::new(false),
        })
    }

    /// Records whether it is in doubt that the relay holds our subscription. `awaits_event`: an event of the
    /// subscription would settle it.
    pub(super) fn doubt(&self, doubted: bool, awaits_event: bool) {
        self.doubted.store(doubted, Ordering::Release);
        self.awaits_event.store(awaits_event, Ordering::Release);
    }

    /// The doubt that [`Tap::doubt`] recorded last.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Acquire)
    }

    /// Where the frames of a new connection go that are not events.
    pub(super) fn connected(&self) -> (mpsc::Sender<Control>, mpsc::Receiver<Control>) {
        let is_ours = self.origin == Origin::Operator;
        let queue = if is_ours { CONTROL_QUEUE } else { CONTROL_QUEUE_OF_STRANGERS };
        self.health.connected();
        self.strange.store(false, Ordering::Release);
        mpsc::channel(queue)
    }

    /// Charges a useless input to the relay.
    pub(super) fn charge(&self, waste: Waste) {
        self.spend(waste.cost());
    }

    /// Charges the processor time of a useless input to the relay.
    pub(super) fn spend(&self, cost: Duration) {
        let now = Instant::now();
        self.budget.spend(cost, now);
        self.inbound.senders.spent(cost, now);
    }

    /// Records input that can only be the relay's own doing.
    pub(super) fn lied(&self) {
        if self.budget.lied(Instant::now()) {
            self.hostile.notify_one();
        }
    }

    /// Until when Portico should not read this relay, if it has used up its share.
    pub(super) fn rest_until(&self) -> Option<Instant> {
        self.budget.rest_until(Instant::now())
    }

    /// Returns when Portico may read this relay again: at once, unless it has used up its share.
    pub(super) async fn rest(&self) {
        if let Some(until) = self.rest_until() {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Takes a frame. Returns the challenge if the relay asks for a login (NIP-42). `login` is the event by
    /// which Portico last logged in on this connection. Runs on the network loop: it does not wait, reads
    /// only the beginning of a frame, and keeps only a short part of a frame other than an event.
    pub(super) fn sort(
        &self,
        text: Utf8Bytes,
        controls: &mpsc::Sender<Control>,
        login: Option<EventId>,
    ) -> Option<String> {
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
                if !self.questions.end(&subscription) && !questions::is_id(&subscription) {
                    self.wonder(&text, false, controls);
                }
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
                return Some(challenge.into_owned());
            }
            Frame::Ok { id, accepted, reason } => match EventId::from_hex(&id) {
                Ok(id) if login == Some(id) => {
                    let refused = || Control::LoginRefused(shortened(&reason));
                    self.control(controls, if accepted { Control::Authenticated } else { refused() });
                }
                Ok(id) => {
                    let reason = shortened(&reason);
                    self.control(controls, Control::Verdict { id, accepted, reason });
                }
                Err(_) => self.unknown(&text, controls),
            },
            Frame::Notice { text } => self.control(controls, Control::Notice(shortened(&text))),
            Frame::Closed { subscription: None, .. } | Frame::Unknown => self.unknown(&text, controls),
        }
        None
    }

    /// Queues an event of our subscription to be verified, if it may be of interest. Returns `false` if the
    /// frame is not such an event.
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

    /// Malformed, or not requested.
    pub(super) fn garbage(&self) {
        self.health.tally.garbage.up();
        self.lied();
    }

    /// A frame that Portico does not know, in place of one that it knows.
    pub(super) fn unknown(&self, frame: &str, controls: &mpsc::Sender<Control>) {
        self.garbage();
        self.wonder(frame, true, controls);
    }

    fn wonder(&self, frame: &str, may_end: bool, controls: &mpsc::Sender<Control>) {
        if !self.strange.swap(true, Ordering::AcqRel) {
            self.control(controls, Control::Strange { frame: shortened(frame), may_end });
        }
    }

    /// A [`Control::Strange`] is being handled; the next one counts again.
    pub(super) fn wondered(&self) {
        self.strange.store(false, Ordering::Release);
    }

    /// Longer than anything that the protocol can carry. An honest relay may pass on such a text of somebody
    /// else.
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
