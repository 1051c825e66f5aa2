//! From frame to event: whatever is cheap to refuse is refused before anything expensive is done.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use nostr_sdk::prelude::{Event, Kind};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::budget::Waste;
use super::frame;
use super::health::Tally;
use super::options::RelayOptions;
use super::seen::Seen;
use super::signal::{Gate, Signal};
use super::tap::Tap;

/// A worker takes so many frames before it lets other tasks run.
const BATCH: usize = 8;

/// Decides which frames become events. One for all relays.
pub(super) struct Inbound {
    kinds: HashSet<Kind>,
    /// In hexadecimal, as in tags.
    our_keys: HashSet<String>,
    gate: Arc<dyn Gate>,
    seen: Mutex<Seen>,
}

/// Why a frame did not become an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    /// Malformed, or not what was subscribed to.
    Garbage,
    /// The gate did not want it.
    Unwanted,
    /// It was here before.
    Duplicate,
    /// The id is not that of the content, or the signature not the author's.
    Forged,
}

impl Rejection {
    const fn waste(self) -> Waste {
        match self {
            Self::Garbage => Waste::Unasked,
            Self::Unwanted | Self::Duplicate => Waste::Useless,
            Self::Forged => Waste::Forged,
        }
    }
}

impl Inbound {
    pub(super) fn new(options: &RelayOptions, gate: Arc<dyn Gate>) -> Self {
        Self {
            kinds: options.kinds.iter().copied().collect(),
            our_keys: options.our_keys.iter().map(|key| key.to_hex()).collect(),
            gate,
            seen: Mutex::new(Seen::new(options.remembered)),
        }
    }

    /// The event in a frame of our subscription, if it is genuine, wanted and new.
    pub(super) fn judge(&self, frame: &str) -> Result<Event, Rejection> {
        let event = frame::event(frame).filter(|event| self.is_asked_for(event)).ok_or(Rejection::Garbage)?;
        if !self.gate.admits(&event) {
            return Err(Rejection::Unwanted);
        }
        if self.seen().contains(&event.id) {
            return Err(Rejection::Duplicate);
        }
        // Id and signature: the signature alone would not bind the content.
        event.verify().map_err(|_| Rejection::Forged)?;
        // Only now, so that a forgery cannot occupy the id of the genuine event; and by the answer of
        // `insert`, because another relay may have brought it in the meantime.
        if self.seen().insert(event.id) { Ok(event) } else { Err(Rejection::Duplicate) }
    }

    /// Relays may send what they like.
    fn is_asked_for(&self, event: &Event) -> bool {
        let names_us = |tag: &[String]| match tag {
            [name, key, ..] => name == "p" && self.our_keys.contains(key),
            _ => false,
        };
        self.kinds.contains(&event.kind) && event.tags.iter().any(|tag| names_us(tag.as_slice()))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event frames of one relay, for the workers of that relay. Each relay has its own queue and its own
/// workers: one that floods us fills its queue and keeps its workers busy, and no others.
pub(super) type Queue = Arc<tokio::sync::Mutex<mpsc::Receiver<Utf8Bytes>>>;

/// One worker: frames from the queue, genuine events to the inbox. Ends with either.
pub(super) async fn work(queue: Queue, inbound: Arc<Inbound>, tap: Arc<Tap>, inbox: mpsc::Sender<Signal>) {
    let mut frames = Vec::with_capacity(BATCH);
    while queue.lock().await.recv_many(&mut frames, BATCH).await > 0 {
        for frame in frames.drain(..) {
            match inbound.judge(&frame) {
                Ok(event) => {
                    let signal = Signal::Event { event: Box::new(event), relay: tap.url.clone() };
                    if inbox.capacity() == 0 {
                        tap.health.tally.stalled.up();
                    }
                    if inbox.send(signal).await.is_err() {
                        return;
                    }
                }
                Err(rejection) => {
                    tap.health.tally.count(rejection);
                    tap.charge(rejection.waste());
                }
            }
        }
        tap.rest().await;
        tokio::task::yield_now().await;
    }
}

impl Tally {
    fn count(&self, rejection: Rejection) {
        match rejection {
            Rejection::Garbage => self.garbage.up(),
            Rejection::Unwanted => self.unwanted.up(),
            Rejection::Duplicate => self.duplicates.up(),
            Rejection::Forged => self.forged.up(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::budget::Budget;
    use super::super::health::{Health, Origin};
    use super::*;
    use crate::clock::Timestamp;
    use nostr_sdk::prelude::{EventBuilder, JsonUtil, Keys, Tag};

    const KIND: Kind = Kind::Custom(27001);

    struct Bench {
        inbound: Inbound,
        us: Keys,
        wallet: Keys,
    }

    fn bench(gate: impl Gate + 'static) -> Bench {
        let us = Keys::generate();
        let inbound = Inbound::new(&RelayOptions::new(us.clone(), vec![KIND]), Arc::new(gate));
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
    async fn a_relay_that_floods_us_with_forgeries_takes_a_quarter_of_a_core_and_no_more() {
        const FORGERIES: u32 = 20_000;
        let Bench { inbound, us, wallet } = bench(|_: &Event| true);
        let to_us = Tag::public_key(us.public_key());
        let genuine = EventBuilder::new(KIND, "").tag(to_us).sign_with_keys(&wallet).unwrap();
        let mut forged = genuine.clone();
        forged.content = "forged".to_owned();
        let frame = |event: &Event| Utf8Bytes::from(format!(r#"["EVENT","portico",{}]"#, event.as_json()));
        let (frames, queue) = mpsc::channel(FORGERIES as usize + 1);
        for _ in 0..FORGERIES {
            frames.try_send(frame(&forged)).unwrap();
        }
        frames.try_send(frame(&genuine)).unwrap();
        let (budget, health) = (Budget::of(Origin::Operator), Health::new(Timestamp::from_secs(1)));
        let (tap, _outlets) = Tap::new("wss://flood.example".parse().unwrap(), false, budget, health, 1);
        let (inbox, mut signals) = mpsc::channel(1);

        let started = Instant::now();
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let worker = tokio::spawn(work(queue, Arc::new(inbound), tap, inbox));
        assert!(matches!(signals.recv().await, Some(Signal::Event { event, .. }) if *event == genuine));
        // A second's worth of the share goes in advance.
        let quarter = Waste::Forged.cost() * FORGERIES * 4 - Duration::from_secs(1);
        let off = started.elapsed().abs_diff(quarter);
        assert!(off < Duration::from_millis(10), "{:?}", started.elapsed());
        worker.abort();
    }

    #[test]
    fn a_relay_cannot_hand_us_what_we_did_not_ask_for() {
        let bench = bench(|_: &Event| true);
        let to_us = Tag::public_key(bench.us.public_key());
        let other_kind =
            EventBuilder::new(Kind::TextNote, "").tag(to_us).sign_with_keys(&bench.wallet).unwrap();
        let to_another = Tag::public_key(Keys::generate().public_key());
        let other_key = EventBuilder::new(KIND, "").tag(to_another).sign_with_keys(&bench.wallet).unwrap();
        assert_eq!(bench.judge(&other_kind), Err(Rejection::Garbage));
        assert_eq!(bench.judge(&other_key), Err(Rejection::Garbage));
        assert_eq!(bench.inbound.judge("garbage"), Err(Rejection::Garbage));
    }

    #[test]
    fn what_nobody_wants_is_not_verified() {
        let bench = bench(|_: &Event| false);
        let mut forged = bench.event("genuine");
        forged.content = "forged".to_owned();
        assert_eq!(bench.judge(&forged), Err(Rejection::Unwanted), "not even found out as a forgery");
    }
}
