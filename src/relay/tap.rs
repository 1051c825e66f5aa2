//! Where the frames of one relay part ways: ours to us, the rest of the protocol to nostr-sdk.
//!
//! nostr-sdk keeps the connection and answers NIP-42; of what a relay sends it sees only what it needs for
//! that. It would verify events under one lock for all relays, believe a known id without looking at the
//! signature, forget a subscription that the relay closed, and log malformed frames whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nostr_sdk::prelude::{EventId, JsonUtil, RelayMessage, RelayUrl};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::asks::Asks;
use super::budget::{Budget, Waste};
use super::frame::{self, Frame};
use super::health::Health;
use super::listen::shortened;

/// The id of our one long-lived subscription on each connection.
pub(super) const SUBSCRIPTION: &str = "portico";

/// No event we subscribe to has a longer frame, in bytes.
const MAX_EVENT: usize = 128 * 1024;

/// How many control frames of one connection wait to be handled before more are dropped.
const CONTROL_QUEUE: usize = 1024;

/// What all connections to one relay, made one after the other, share.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) url: RelayUrl,
    /// Named by a stranger: connect to public addresses only.
    pub(super) public_only: bool,
    pub(super) health: Health,
    /// Questions of ours that wait for an answer, besides the subscription.
    pub(super) asks: Asks,
    /// Frames were dropped; what they said must be had otherwise.
    pub(super) lost: Notify,
    /// A frame went out.
    pub(super) drained: Notify,
    /// It sends so much that is forged, or that nobody asked for, that it must mean to.
    pub(super) hostile: Notify,
    budget: Budget,
    /// Attempts to connect since the relay was last ready.
    attempts: AtomicU32,
    sessions: mpsc::UnboundedSender<Session>,
    events: mpsc::Sender<Utf8Bytes>,
}

/// One connection, as the task that looks after the relay sees it: it ends when `controls` does.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) controls: mpsc::Receiver<Control>,
}

/// Something other than an event happened on a connection.
#[derive(Debug)]
pub(super) enum Control {
    /// The relay has sent all it had stored for our subscription.
    Eose,
    /// It has closed our subscription. Its reason, shortened, for people.
    Closed(String),
    /// It has taken an event, or refused it. Its reason, shortened, for people.
    Verdict { id: EventId, accepted: bool, reason: String },
    /// It has something to say. Shortened, for people.
    Notice(String),
    /// The relay accepted our login (NIP-42).
    Authenticated,
}

/// The receiving ends of a [`Tap`].
#[derive(Debug)]
pub(super) struct Outlets {
    /// Each connection, when it is made. (Not bounded, but paced by the making of connections.)
    pub(super) sessions: mpsc::UnboundedReceiver<Session>,
    /// `EVENT` frames of our subscription.
    pub(super) events: mpsc::Receiver<Utf8Bytes>,
}

impl Tap {
    /// A tap that lets `queue` event frames wait.
    pub(super) fn new(
        url: RelayUrl,
        public_only: bool,
        budget: Budget,
        health: Health,
        queue: usize,
    ) -> (Arc<Self>, Outlets) {
        let (sessions, session_outlet) = mpsc::unbounded_channel();
        let (events, event_outlet) = mpsc::channel(queue.max(1));
        let tap = Self {
            url,
            public_only,
            health,
            asks: Asks::default(),
            lost: Notify::new(),
            drained: Notify::new(),
            hostile: Notify::new(),
            budget,
            attempts: AtomicU32::new(0),
            sessions,
            events,
        };
        (Arc::new(tap), Outlets { sessions: session_outlet, events: event_outlet })
    }

    /// How many event frames wait for a worker.
    pub(super) fn queued(&self) -> usize {
        self.events.max_capacity() - self.events.capacity()
    }

    /// How many attempts to connect there have been since the relay was last ready; this is one more.
    pub(super) fn attempt(&self) -> u32 {
        self.attempts.fetch_add(1, Ordering::Relaxed)
    }

    /// The relay is ready: forget failed attempts.
    pub(super) fn settled(&self) {
        self.attempts.store(0, Ordering::Relaxed);
    }

    /// There is a connection. What it yields goes to whoever looks after the relay.
    pub(super) fn connected(&self) -> mpsc::Sender<Control> {
        let (sender, controls) = mpsc::channel(CONTROL_QUEUE);
        self.health.tally.connected.up();
        // Nobody looks after the relay any more: it is being removed, and the connection ends with it.
        let _ = self.sessions.send(Session { controls });
        sender
    }

    /// The relay sent something that came to nothing: that counts against it.
    pub(super) fn charge(&self, waste: Waste) {
        if self.budget.charge(waste, Instant::now()) {
            self.hostile.notify_one();
        }
    }

    /// Returns when something of this relay may be looked at again: at once, unless it has used up its share.
    pub(super) async fn rest(&self) {
        if let Some(until) = self.budget.rest_until(Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Take a frame that is ours; give back what is nostr-sdk's. `login` is the id of the event by which
    /// nostr-sdk last logged in on this connection. Runs on the network loop: nothing here waits or reads more
    /// than the beginning of a frame, and what is kept of one that is no event is short.
    pub(super) fn sort(
        &self,
        text: Utf8Bytes,
        controls: &mpsc::Sender<Control>,
        login: Option<&str>,
    ) -> Option<Utf8Bytes> {
        let tally = &self.health.tally;
        match frame::sniff(&text) {
            Frame::Event { .. } if text.len() > MAX_EVENT => self.garbage(),
            Frame::Event { subscription } if subscription == SUBSCRIPTION => {
                tally.received.up();
                if self.events.try_send(text.clone()).is_err() {
                    self.lose();
                }
            }
            Frame::Event { subscription } => {
                if !self.asks.event(&subscription, &text) {
                    self.garbage();
                }
            }
            Frame::Eose { subscription } if subscription == SUBSCRIPTION => {
                self.control(controls, Control::Eose);
            }
            Frame::Closed { subscription, reason }
                if subscription.as_ref().is_none_or(|subscription| subscription == SUBSCRIPTION) =>
            {
                self.control(controls, Control::Closed(shortened(&reason)));
            }
            Frame::Eose { subscription } | Frame::Closed { subscription: Some(subscription), .. } => {
                self.asks.end(&subscription);
            }
            Frame::Auth { challenge } => {
                // A relay that asks all the time would have us sign all the time.
                if self.budget.rest_until(Instant::now()).is_some() {
                    self.garbage();
                    return None;
                }
                self.charge(Waste::Login);
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

    fn garbage(&self) {
        self.health.tally.garbage.up();
        self.charge(Waste::Unasked);
    }

    fn control(&self, controls: &mpsc::Sender<Control>, control: Control) {
        if controls.try_send(control).is_err() {
            self.lose();
        }
    }

    fn lose(&self) {
        self.health.tally.dropped.up();
        self.lost.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::super::health::Origin;
    use super::*;
    use crate::clock::Timestamp;

    const LOGIN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    struct Bench {
        tap: Arc<Tap>,
        outlets: Outlets,
        controls: mpsc::Sender<Control>,
        session: Session,
    }

    fn bench(queue: usize) -> Bench {
        let url = "wss://relay.example".parse().unwrap();
        let (budget, health) = (Budget::of(Origin::Operator), Health::new(Timestamp::from_secs(1)));
        let (tap, mut outlets) = Tap::new(url, false, budget, health, queue);
        let controls = tap.connected();
        let session = outlets.sessions.try_recv().unwrap();
        Bench { tap, outlets, controls, session }
    }

    impl Bench {
        fn passes(&self, frame: &str) -> bool {
            self.tap.sort(frame.into(), &self.controls, Some(LOGIN)).is_some()
        }
    }

    #[tokio::test]
    async fn only_what_nip_42_needs_passes_to_the_sdk() {
        let bench = bench(8);
        assert!(bench.passes(r#"["AUTH","challenge"]"#));
        assert!(bench.passes(&format!(r#"["OK","{LOGIN}",true,""]"#)));
        for frame in [
            r#"["EVENT","portico",{}]"#,
            r#"["EVENT","somebody-else",{}]"#,
            r#"["EOSE","portico"]"#,
            r#"["CLOSED","portico","error: x"]"#,
            r#"["NOTICE","x"]"#,
            &format!(r#"["OK","{}",true]"#, "b".repeat(64)),
            r#"["OK","bbbb",true,""]"#,
            r#"["COUNT","x",{"count":1}]"#,
            "garbage",
        ] {
            assert!(!bench.passes(frame), "{frame}");
        }
    }

    #[tokio::test]
    async fn garbage_that_looks_like_nip_42_does_not_reach_the_log_of_the_sdk() {
        let bench = bench(8);
        let long = format!(r#"["AUTH","{}"]"#, "x".repeat(5000));
        for frame in [r#"["AUTH","unterminated]"#, &long, &format!(r#"["OK","{LOGIN}",garbage"#)] {
            assert!(!bench.passes(frame), "{frame}");
        }
        assert_eq!(bench.tap.health.tally.garbage.get(), 3);
    }

    #[tokio::test]
    async fn what_passes_to_the_sdk_is_written_as_it_can_read_it() {
        let bench = bench(8);
        for frame in [
            r#"["AUTH","challenge"]"#,
            r#"["AUTH","challenge",null,"#,
            &format!(r#"["OK","{LOGIN}",true]"#),
            &format!(r#" [ "OK","{LOGIN}",false,null]"#),
        ] {
            let passed = bench.tap.sort(frame.into(), &bench.controls, Some(LOGIN)).unwrap();
            assert!(RelayMessage::from_json(passed.as_str()).is_ok(), "{frame}");
        }
    }

    #[tokio::test]
    async fn the_end_of_our_subscription_is_told_in_any_shape_and_size_and_that_of_another_is_not() {
        let mut bench = bench(8);
        let huge = format!(r#"["CLOSED","portico","error: {}"]"#, "x".repeat(500_000));
        for (frame, reason) in [
            (r#"["CLOSED","portico"]"#, ""),
            (r#"["CLOSED","portico",null]"#, ""),
            (r#"["CLOSED","portic\u006f",7,8]"#, "7"),
            (r#"["CLOSED"]"#, ""),
            (&huge, "error: xxx"),
        ] {
            assert!(!bench.passes(frame));
            let Ok(Control::Closed(told)) = bench.session.controls.try_recv() else { panic!("{frame}") };
            assert!(told.starts_with(reason) && told.len() <= 200, "{told}");
        }
        for frame in [r#"["CLOSED","ask-7"]"#, r#"["CLOSED","Portico","x"]"#, r#"["CLOSED","",null]"#] {
            assert!(!bench.passes(frame));
            assert!(bench.session.controls.try_recv().is_err(), "{frame}");
        }
    }

    #[tokio::test]
    async fn an_accepted_login_is_told_and_a_refused_one_is_not() {
        let mut bench = bench(8);
        bench.passes(&format!(r#"["OK","{LOGIN}",false,"restricted: no"]"#));
        assert!(bench.session.controls.try_recv().is_err());
        bench.passes(&format!(r#"["OK","{LOGIN}",true,""]"#));
        assert!(matches!(bench.session.controls.try_recv(), Ok(Control::Authenticated)));
    }

    #[tokio::test]
    async fn events_beyond_the_queue_are_dropped_and_counted_and_the_loss_is_told() {
        let mut bench = bench(2);
        for _ in 0..5 {
            bench.passes(r#"["EVENT","portico",{}]"#);
        }
        assert_eq!(bench.outlets.events.len(), 2);
        assert_eq!(bench.tap.health.tally.dropped.get(), 3);
        bench.tap.lost.notified().await;
        drop(bench.outlets.events.recv().await);
    }
}
