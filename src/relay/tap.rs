//! Where the frames of one relay part ways: ours to us, the rest of the protocol to nostr-sdk.
//!
//! nostr-sdk keeps the connection and answers NIP-42; of what a relay sends it sees only what it needs for
//! that. It would verify events under one lock for all relays, believe a known id without looking at the
//! signature, forget a subscription that the relay closed, and log malformed frames whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nostr_sdk::prelude::{EventId, JsonUtil, RelayMessage, RelayUrl};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::asks::Asks;
use super::budget::{Budget, Waste};
use super::frame::{self, Frame};
use super::health::{Health, Origin};
use super::inbound::{Inbound, Look};
use super::listen::shortened;
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
    pub(super) asks: Asks,
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
    sessions: mpsc::UnboundedSender<Session>,
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

impl Tap {
    /// A tap that lets `queue` event frames wait, and where each connection comes out when it is made. (Not
    /// bounded, but paced by the making of connections.)
    pub(super) fn new(
        whose: Whose,
        inbound: Arc<Inbound>,
        health: Health,
        queue: usize,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Session>) {
        let (sessions, outlet) = mpsc::unbounded_channel();
        let Whose { url, origin, public_only } = whose;
        let tap = Self {
            url,
            origin,
            public_only,
            health,
            asks: Asks::default(),
            lost: Notify::new(),
            drained: Notify::new(),
            hostile: Notify::new(),
            events: Queue::new(queue),
            budget: Budget::new(Arc::clone(&inbound.shares), origin),
            inbound,
            attempts: AtomicU32::new(0),
            sessions,
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

    /// There is a connection. What it yields goes to whoever looks after the relay.
    pub(super) fn connected(&self) -> mpsc::Sender<Control> {
        let is_ours = self.origin == Origin::Operator;
        let queue = if is_ours { CONTROL_QUEUE } else { CONTROL_QUEUE_OF_STRANGERS };
        let (sender, controls) = mpsc::channel(queue);
        self.health.tally.connected.up();
        // Nobody looks after the relay any more: it is being removed, and the connection ends with it.
        let _ = self.sessions.send(Session { controls });
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
        self.inbound.strangers.spent(cost, now);
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
            Frame::Event { subscription } if subscription == SUBSCRIPTION => self.event(&text),
            Frame::Event { subscription } => match self.events.hold(&text, self.max_queued()) {
                Some(held) => {
                    if !self.asks.event(&subscription, held) {
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
                self.asks.end(&subscription);
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

    /// An event of our subscription waits to be verified, if somebody may want it.
    fn event(&self, text: &str) {
        let tally = &self.health.tally;
        tally.received.up();
        match self.inbound.look(text) {
            Look::Unasked => self.garbage(),
            Look::Unwanted => tally.unwanted.up(),
            Look::Duplicate => tally.duplicates.up(),
            Look::Perhaps { author, waited_for, level } => {
                let lost = self.events.push(text, (author, waited_for), level, self.max_queued());
                if lost > 0 {
                    self.lose(lost);
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn inbound(&self) -> &Inbound {
        &self.inbound
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
mod tests {
    use super::super::inbound::tests::inbound;
    use super::*;
    use crate::clock::Timestamp;
    use nostr_sdk::prelude::{Event, EventBuilder, Keys};

    const LOGIN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    struct Bench {
        tap: Arc<Tap>,
        controls: mpsc::Sender<Control>,
        session: Session,
    }

    fn bench(origin: Origin, queue: usize) -> Bench {
        let whose = Whose { url: "wss://relay.example".parse().unwrap(), origin, public_only: false };
        let (inbound, _) = inbound(|_: &Event| true);
        let (tap, mut sessions) =
            Tap::new(whose, Arc::new(inbound), Health::new(Timestamp::from_secs(1)), queue);
        let controls = tap.connected();
        let session = sessions.try_recv().unwrap();
        Bench { tap, controls, session }
    }

    /// A frame of our subscription with an event of this kind that says so much.
    fn event(kind: u16, length: usize) -> String {
        let event = EventBuilder::new(nostr_sdk::Kind::from_u16(kind), "x".repeat(length));
        let event = event.sign_with_keys(&Keys::generate()).unwrap();
        format!(r#"["EVENT","portico",{}]"#, event.as_json())
    }

    impl Bench {
        fn passes(&self, frame: &str) -> bool {
            self.tap.sort(frame.into(), &self.controls, Some(LOGIN)).is_some()
        }
    }

    #[tokio::test]
    async fn only_what_nip_42_needs_passes_to_the_sdk() {
        let bench = bench(Origin::Operator, 8);
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
        let bench = bench(Origin::Operator, 8);
        let long = format!(r#"["AUTH","{}"]"#, "x".repeat(5000));
        for frame in [r#"["AUTH","unterminated]"#, &long, &format!(r#"["OK","{LOGIN}",garbage"#)] {
            assert!(!bench.passes(frame), "{frame}");
        }
        assert_eq!(bench.tap.health.tally.garbage.get(), 3);
    }

    #[tokio::test]
    async fn what_passes_to_the_sdk_is_written_as_it_can_read_it() {
        let bench = bench(Origin::Operator, 8);
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
        let mut bench = bench(Origin::Operator, 8);
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
        let mut bench = bench(Origin::Operator, 8);
        bench.passes(&format!(r#"["OK","{LOGIN}",false,"restricted: no"]"#));
        assert!(bench.session.controls.try_recv().is_err());
        bench.passes(&format!(r#"["OK","{LOGIN}",true,""]"#));
        assert!(matches!(bench.session.controls.try_recv(), Ok(Control::Authenticated)));
    }

    #[tokio::test]
    async fn events_beyond_the_queue_are_dropped_and_counted_and_the_loss_is_told() {
        let bench = bench(Origin::Operator, 2);
        for _ in 0..5 {
            bench.passes(&event(27001, 10));
        }
        assert_eq!(bench.tap.events.len(), 2);
        assert_eq!(bench.tap.health.tally.dropped.get(), 3);
        bench.tap.lost.notified().await;
    }

    #[tokio::test]
    async fn a_strangers_relay_cannot_make_us_hold_more_bytes_than_its_part_whatever_it_sends() {
        for length in [1, 1000, 30_000, 87_000] {
            let bench = bench(Origin::Preferred, 100_000);
            let frame = event(27001, length);
            for _ in 0..1000 {
                bench.passes(&frame);
                bench.passes(r#"["NOTICE","x"]"#);
                bench.passes(&format!(r#"["NOTICE","{}"]"#, "x".repeat(4000)));
            }
            assert!(bench.tap.events.len() * frame.len() <= bench.tap.max_queued(), "{length}");
            assert!(bench.tap.events.len() > 0, "{length}");
            assert!(bench.session.controls.len() <= 64, "{length}");
        }
    }

    #[tokio::test]
    async fn what_is_longer_than_any_message_is_not_kept_and_is_no_lie_of_the_relay() {
        let bench = bench(Origin::Operator, 8);
        let frame = event(27001, 126 << 10);
        for _ in 0..2000 {
            bench.passes(&frame);
        }
        assert_eq!((bench.tap.events.len(), bench.tap.health.tally.garbage.get()), (0, 2000));
        let hostile = tokio::time::timeout(Duration::ZERO, bench.tap.hostile.notified()).await;
        assert!(hostile.is_err(), "an honest relay passes on what strangers publish");
    }

    #[tokio::test]
    async fn a_relay_that_sends_what_nobody_subscribed_to_turns_hostile() {
        let frames = [event(1, 10), "garbage".to_owned(), r#"["EVENT","portico",{}]"#.to_owned()];
        for frame in frames {
            let bench = bench(Origin::Operator, 8);
            for _ in 0..2000 {
                bench.passes(&frame);
            }
            assert_eq!(bench.tap.events.len(), 0);
            tokio::time::timeout(Duration::ZERO, bench.tap.hostile.notified()).await.expect(&frame);
        }
    }
}
