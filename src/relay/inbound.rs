//! From frame to event: cheap checks reject a frame before anything expensive is done.

use std::collections::HashSet;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{FuturesUnordered, StreamExt};
use nostr_sdk::prelude::{Event, Kind};
use tokio::time::Instant;

use super::authors::Level;
use super::cpu;
use super::handling::Handling;
use super::options::RelayOptions;
use super::queue::{Author, Frame};
use super::raw;
use super::seen::Seen;
use super::senders::Senders;
use super::shares::Shares;
use super::signal::{Gate, Interest, Reservation, Signal};
use super::tap::Tap;

/// A worker handles this many frames before it lets other tasks run.
const BATCH: u32 = 8;

/// Decides which frames become events. One for all relays.
pub(super) struct Inbound {
    kinds: HashSet<Kind>,
    /// In hexadecimal, as in tags.
    our_keys: HashSet<String>,
    gate: Arc<dyn Gate>,
    seen: Mutex<Seen>,
    pub(super) senders: Senders,
    pub(super) shares: Arc<Shares>,
}

/// The result of reading the outside of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Not an event, or not of our subscription.
    Unasked,
    /// Nobody here waits for it.
    Unwanted,
    /// A duplicate.
    Duplicate,
    /// It claims this author.
    Perhaps { author: Author, level: Level },
}

/// Why a frame did not become an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    /// Not requested: the relay's own doing.
    Unasked,
    /// An event that cannot be read. An honest relay may pass it on.
    Unreadable,
    /// The gate rejected it.
    Unwanted,
    /// A duplicate.
    Duplicate,
    /// The id does not match the content, or the signature not the author: the relay's own doing.
    Forged,
}

impl Inbound {
    /// For a machine with this many cores.
    pub(super) fn new(options: &RelayOptions, gate: Arc<dyn Gate>, cores: usize) -> Self {
        Self {
            kinds: options.kinds.iter().copied().collect(),
            our_keys: options.our_keys.iter().map(|key| key.to_hex()).collect(),
            gate,
            seen: Mutex::new(Seen::new(options.remembered)),
            senders: Senders::new(cores, options.inbox, Instant::now()),
            shares: Arc::new(Shares::new(cores, options.max_preferred)),
        }
    }

    /// What to do with a frame of our subscription, judged by its kind and the author that it claims.
    pub(super) fn look(&self, frame: &str) -> Look {
        let Some(claim) = raw::claim(frame).filter(|claim| self.kinds.contains(&claim.kind)) else {
            return Look::Unasked;
        };
        let author = claim.author;
        let waited_for = match self.gate.interest(claim.kind, &author) {
            Interest::Unwanted => return Look::Unwanted,
            Interest::Stranger => false,
            Interest::WaitedFor => true,
        };
        // Anybody can publish somebody else's event again and again: it must not wait where its author's
        // would.
        if claim.id.is_some_and(|id| self.seen().contains(&id)) {
            return Look::Duplicate;
        }
        let level = self.senders.level(&author, waited_for, Instant::now());
        Look::Perhaps { author: Author { key: author, waited_for }, level }
    }

    /// The event in a frame of our subscription, if it is genuine, wanted and new.
    pub(super) fn judge(&self, frame: &str) -> Result<Event, Rejection> {
        let read = raw::read(frame).ok_or(Rejection::Unreadable)?;
        let event = read.unverified();
        if !self.is_asked_for(event) {
            return Err(Rejection::Unasked);
        }
        if !self.gate.admits(event) {
            return Err(Rejection::Unwanted);
        }
        if self.seen().contains(&event.id) {
            return Err(Rejection::Duplicate);
        }
        // Id and signature: the signature alone would not bind the content.
        let event = read.verify().ok_or(Rejection::Forged)?;
        // Only now, so that a forgery cannot occupy the id of the genuine event; and by the answer of
        // `insert`, because another relay may have brought it in the meantime.
        if self.seen().insert(event.id) { Ok(event) } else { Err(Rejection::Duplicate) }
    }

    /// Whether we subscribed to this event: relays may send others.
    fn is_asked_for(&self, event: &Event) -> bool {
        let names_us = |tag: &[String]| match tag {
            // Some relays compare keys as bytes, so what their author wrote in upper case is passed on.
            [name, key, ..] => name == "p" && self.our_keys.contains(&key.to_ascii_lowercase()),
            _ => false,
        };
        self.kinds.contains(&event.kind) && event.tags.iter().any(|tag| names_us(tag.as_slice()))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// One worker: takes frames from the relay's queue, and handles each genuine event to its end. While one event
/// waits for the store, the worker takes the next frame.
pub(super) async fn work(inbound: Arc<Inbound>, tap: Arc<Tap>, handling: Handling) {
    handling.known().await;
    let mut under_way = FuturesUnordered::new();
    let mut taken = 0_u32;
    let mut next = pin!(next_frame(&inbound, &tap, taken));
    loop {
        tokio::select! {
            biased;
            Some(()) = under_way.next() => {}
            frame = next.as_mut() => {
                under_way.extend(verified(&inbound, &tap, frame).map(|signal| handling.clone().handle(signal)));
                taken = taken.wrapping_add(1);
                next.set(next_frame(&inbound, &tap, taken));
            }
        }
    }
}

/// The frame to verify next. The turn of its author lasts until the event is handled or rejected.
async fn next_frame(inbound: &Inbound, tap: &Tap, taken: u32) -> Frame {
    if taken.is_multiple_of(BATCH) {
        tap.rest().await;
        tokio::task::yield_now().await;
    }
    tap.events.next(&inbound.senders, || tap.health.tally.stalled.up()).await
}

/// The event of a frame, if it is genuine, wanted and new.
fn verified(inbound: &Inbound, tap: &Tap, frame: Frame) -> Option<Signal> {
    let (Frame { text, level, turn }, senders) = (frame, &inbound.senders);
    let (judged, cost) = cpu::measured(|| inbound.judge(&text));
    match judged {
        Ok(event) => {
            senders.verified(&event.pubkey, text.len(), level, cost, Instant::now());
            let reservation = Reservation::new(senders.reserve(text.len(), level), turn);
            Some(Signal::Event { event: Box::new(event), relay: tap.url.clone(), reservation })
        }
        Err(rejection) => {
            tap.refused(rejection);
            tap.spend(cost);
            None
        }
    }
}

impl Tap {
    /// A frame of this relay did not become an event.
    fn refused(&self, rejection: Rejection) {
        let tally = &self.health.tally;
        match rejection {
            Rejection::Unasked => self.garbage(),
            Rejection::Unreadable => tally.garbage.up(),
            Rejection::Unwanted => tally.unwanted.up(),
            Rejection::Duplicate => tally.duplicates.up(),
            Rejection::Forged => {
                tally.forged.up();
                self.lied();
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::health::{Health, Origin};
    use super::super::tap::Whose;
    use super::*;
    use crate::clock::Timestamp;
    use futures_util::future::BoxFuture;
    use nostr_sdk::prelude::{EventBuilder, JsonUtil, Keys, PublicKey, Tag};
    use tokio::sync::mpsc;

    const KIND: Kind = Kind::Custom(27001);

    struct Bench {
        inbound: Inbound,
        us: Keys,
        wallet: Keys,
    }

    /// For a service that subscribes to answers.
    pub(in crate::relay) fn inbound(gate: impl Gate + 'static) -> (Inbound, Keys) {
        inbound_with(gate, 1)
    }

    /// The same, with this bound on the events in progress.
    fn inbound_with(gate: impl Gate + 'static, inbox: usize) -> (Inbound, Keys) {
        let us = Keys::generate();
        let options = RelayOptions { inbox, ..RelayOptions::new(us.clone(), vec![KIND]) };
        (Inbound::new(&options, Arc::new(gate), 2), us)
    }

    fn bench(gate: impl Gate + 'static) -> Bench {
        let (inbound, us) = inbound(gate);
        Bench { inbound, us, wallet: Keys::generate() }
    }

    impl Bench {
        fn event(&self, content: &str) -> Event {
            let to_us = Tag::public_key(self.us.public_key());
            EventBuilder::new(KIND, content).tag(to_us).sign_with_keys(&self.wallet).unwrap()
        }

        fn judge(&self, event: &Event) -> Result<Event, Rejection> {
            self.inbound.judge(&format!(r#"["EVENT","portico",{}]"#, event.as_json()))
        }
    }

    #[test]
    fn a_genuine_event_passes_once() {
        let bench = bench(|_: &Event| true);
        let event = bench.event("hello");
        assert_eq!(bench.judge(&event), Ok(event.clone()));
        assert_eq!(bench.judge(&event), Err(Rejection::Duplicate));
    }

    #[test]
    fn a_forgery_is_refused_whether_its_id_is_known_or_not() {
        let bench = bench(|_: &Event| true);
        let (mut forged, mut resigned) = (bench.event("genuine"), bench.event("genuine, too"));
        let genuine = forged.clone();
        forged.content = "forged".to_owned();
        assert_eq!(bench.judge(&forged), Err(Rejection::Forged));
        resigned.sig = genuine.sig;
        assert_eq!(bench.judge(&resigned), Err(Rejection::Forged));

        bench.judge(&genuine).unwrap();
        assert_eq!(bench.judge(&forged), Err(Rejection::Duplicate));
    }

    #[test]
    fn a_forgery_that_comes_first_does_not_suppress_the_genuine_event() {
        let bench = bench(|_: &Event| true);
        let genuine = bench.event("genuine");
        let mut forged = genuine.clone();
        forged.content = "forged".to_owned();
        assert_eq!(bench.judge(&forged), Err(Rejection::Forged));
        assert_eq!(bench.judge(&genuine), Ok(genuine.clone()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_has_used_up_its_share_is_looked_at_again_after_its_rest() {
        let bench = bench(|_: &Event| true);
        let genuine = bench.event("genuine");
        let (tap, mut signals) = tapped(bench.inbound, Origin::Operator);
        tap.spend(Duration::from_secs(60));
        let began = Instant::now();
        bring(&tap, &genuine);
        assert!(matches!(signals.recv().await, Some(Signal::Event { event, .. }) if *event == genuine));
        assert!((990..1010).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn what_forgeries_take_is_at_the_expense_of_the_relay_and_of_nobody_else() {
        let bench = bench(|_: &Event| true);
        let mut forged = bench.event("genuine");
        forged.content = "forged".to_owned();
        let (tap, _signals) = tapped(bench.inbound, Origin::Preferred);
        // Far more than the one that a two-hundredth of a core verifies in a second.
        while tap.rest_until().is_none() {
            bring(&tap, &forged);
            tokio::task::yield_now().await;
        }
        assert_eq!(tap.inbound().senders.level(&bench.wallet.public_key(), false, Instant::now()), fresh());
    }

    #[tokio::test]
    async fn what_genuine_events_take_is_at_the_expense_of_their_author_and_never_of_the_relay() {
        let bench = bench(|_: &Event| true);
        let events: Vec<_> = (0..40).map(|n| bench.event(&n.to_string())).collect();
        let (tap, mut signals) = tapped(bench.inbound, Origin::Preferred);
        for event in &events {
            bring(&tap, event);
            assert!(signals.recv().await.is_some());
        }
        let now = Instant::now();
        assert_eq!(tap.inbound().senders.level(&bench.wallet.public_key(), false, now), Level::MANY);
        assert_eq!(tap.rest_until(), None);
    }

    #[tokio::test]
    async fn a_newcomer_goes_before_a_crowd_of_one_author_that_came_first() {
        let bench = bench(|_: &Event| true);
        let newcomer =
            Bench { wallet: Keys::generate(), inbound: inbound(|_: &Event| true).0, us: bench.us.clone() };
        let crowd: Vec<_> = (0..100).map(|n| bench.event(&n.to_string())).collect();
        let (tap, mut signals) = tapped(bench.inbound, Origin::Operator);
        crowd.iter().for_each(|event| bring(&tap, event));
        bring(&tap, &newcomer.event("hello"));
        let mut before = 0;
        while let Some(Signal::Event { event, .. }) = signals.recv().await
            && event.pubkey != newcomer.wallet.public_key()
        {
            before += 1;
        }
        assert!(before < 5, "{before}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_author_sends_comes_in_order_and_holds_up_nobody_else() {
        let (inbound, us) = inbound_with(|_: &Event| true, 8);
        let bench = Bench { inbound, us, wallet: Keys::generate() };
        let other = Bench {
            wallet: Keys::generate(),
            inbound: inbound_with(|_: &Event| true, 8).0,
            us: bench.us.clone(),
        };
        let (first, second, others) = (bench.event("no"), bench.event("yes"), other.event("hello"));
        let (tap, mut signals) = tapped(bench.inbound, Origin::Operator);
        [&first, &second, &others].into_iter().for_each(|event| bring(&tap, event));
        let Some(Signal::Event { event, reservation, .. }) = signals.recv().await else { panic!("it ended") };
        assert_eq!(*event, first);
        assert!(matches!(signals.recv().await, Some(Signal::Event { event, .. }) if *event == others));
        let early = tokio::time::timeout(Duration::from_secs(60), signals.recv()).await;
        assert!(early.is_err(), "the first one is not handled");
        drop(reservation);
        assert!(matches!(signals.recv().await, Some(Signal::Event { event, .. }) if *event == second));
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_who_is_waited_for_goes_before_everybody_and_past_a_ration_that_is_used_up() {
        struct WaitsFor(PublicKey);
        impl Gate for WaitsFor {
            fn interest(&self, _: Kind, author: &PublicKey) -> Interest {
                if *author == self.0 { Interest::WaitedFor } else { Interest::Stranger }
            }
            fn admits(&self, _: &Event) -> bool {
                true
            }
        }
        let asked = Keys::generate();
        let (inbound, us) = inbound(WaitsFor(asked.public_key()));
        let strangers = Bench { inbound, us: us.clone(), wallet: Keys::generate() };
        let (crowd, answer) = (strangers.event("x"), {
            let to_us = Tag::public_key(us.public_key());
            EventBuilder::new(KIND, "yes").tag(to_us).sign_with_keys(&asked).unwrap()
        });
        strangers.inbound.senders.spent(Duration::from_secs(60), Instant::now());
        let (tap, mut signals) = tapped(strangers.inbound, Origin::Operator);
        bring(&tap, &crowd);
        bring(&tap, &answer);
        assert!(matches!(signals.recv().await, Some(Signal::Event { event, .. }) if *event == answer));
        assert!(matches!(signals.recv().await, Some(Signal::Event { event, .. }) if *event == crowd));
    }

    fn fresh() -> Level {
        Level::all().nth(1).unwrap()
    }

    /// A relay with a worker of its own, and the signals that its frames cause. The worker ends with the test.
    fn tapped(inbound: Inbound, origin: Origin) -> (Arc<Tap>, mpsc::UnboundedReceiver<Signal>) {
        let url = "wss://flood.example".parse().unwrap();
        let whose = Whose { url, origin, public_only: false };
        let inbound = Arc::new(inbound);
        let tap = Tap::new(whose, Arc::clone(&inbound), Health::new(Timestamp::from_secs(1)), 100_000);
        let (handling, (into, signals)) = (Handling::default(), mpsc::unbounded_channel());
        handling.set(Arc::new(move |signal| -> BoxFuture<'static, ()> {
            into.send(signal).unwrap();
            Box::pin(std::future::ready(()))
        }));
        tokio::spawn(work(inbound, Arc::clone(&tap), handling));
        (tap, signals)
    }

    fn bring(tap: &Arc<Tap>, event: &Event) {
        let (controls, _) = tokio::sync::mpsc::channel(1);
        tap.sort(format!(r#"["EVENT","portico",{}]"#, event.as_json()).into(), &controls, None);
    }

    #[test]
    fn a_relay_cannot_hand_us_what_we_did_not_ask_for() {
        let bench = bench(|_: &Event| true);
        let to_us = Tag::public_key(bench.us.public_key());
        let other_kind =
            EventBuilder::new(Kind::TextNote, "").tag(to_us).sign_with_keys(&bench.wallet).unwrap();
        let to_another = Tag::public_key(Keys::generate().public_key());
        let other_key = EventBuilder::new(KIND, "").tag(to_another).sign_with_keys(&bench.wallet).unwrap();
        assert_eq!(bench.judge(&other_kind), Err(Rejection::Unasked));
        assert_eq!(bench.judge(&other_key), Err(Rejection::Unasked));
        assert_eq!(bench.inbound.judge("garbage"), Err(Rejection::Unreadable));
    }

    #[test]
    fn what_nobody_wants_is_not_verified() {
        let bench = bench(|_: &Event| false);
        let mut forged = bench.event("genuine");
        forged.content = "forged".to_owned();
        assert_eq!(bench.judge(&forged), Err(Rejection::Unwanted), "not even found out as a forgery");
    }
}
