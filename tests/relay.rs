//! The relay side against real sockets: what it must bear from relays, and what it must not lose.

mod support;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nostr_sdk::prelude::{Event, EventBuilder, JsonUtil, Keys, Kind, RelayUrl, Tag};
use portico::clock::{Clock, SharedClock, SystemClock, Timestamp};
use portico::relay::{
    Gate, LinkError, Origin, Outcome, Publication, RelayHealth, RelayOptions, RelaySpec, RelayState, Relays,
    Signal,
};
use support::relay::TestRelay;
use tokio::sync::mpsc;

const CHALLENGE: Kind = Kind::Custom(27000);
const RESPONSE: Kind = Kind::Custom(27001);

/// Longer than anything here should take, on a machine busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for: {what}"),
    }
}

/// A service connected to relays, and a wallet that writes to it.
struct Bench {
    relays: Relays,
    signals: mpsc::Receiver<Signal>,
    service: Keys,
    wallet: Keys,
}

fn options(urls: impl IntoIterator<Item = RelayUrl>) -> RelayOptions {
    RelayOptions {
        relays: urls.into_iter().map(RelaySpec::read_write).collect(),
        allow_private: true,
        retry: Duration::from_millis(10),
        ..RelayOptions::new(Keys::generate(), vec![RESPONSE])
    }
}

impl Bench {
    async fn start(relays: &[&TestRelay]) -> Self {
        Self::with(options(relays.iter().map(|relay| relay.url())), |_: &Event| true).await
    }

    async fn with(options: RelayOptions, gate: impl Gate + 'static) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let service = options.keys.clone();
        let (relays, signals) = Relays::start(options, Arc::new(gate), clock).await;
        Self { relays, signals, service, wallet: Keys::generate() }
    }

    /// … and all its relays are ready.
    async fn ready(relays: &[&TestRelay]) -> Self {
        let bench = Self::start(relays).await;
        for relay in relays {
            bench.until(relay, "ready", |health| health.state == RelayState::Ready).await;
        }
        bench
    }

    /// Health has no notification: it is for operators to look at. So look, now and then.
    async fn until(&self, relay: &TestRelay, what: &str, is_so: impl Fn(&RelayHealth) -> bool) {
        self.until_list(what, |list| list.iter().any(|health| health.url == relay.url() && is_so(health)))
            .await;
    }

    async fn until_list(&self, what: &str, is_so: impl Fn(&[RelayHealth]) -> bool) {
        let looking = async {
            let mut look = tokio::time::interval(Duration::from_millis(2));
            while !is_so(&self.relays.list()) {
                look.tick().await;
            }
        };
        soon(what, looking).await;
    }

    fn health(&self, relay: &TestRelay) -> RelayHealth {
        self.relays.list().into_iter().find(|health| health.url == relay.url()).unwrap()
    }

    /// An event from the wallet to the service.
    fn response(&self, content: &str) -> Event {
        let to_service = Tag::public_key(self.service.public_key());
        EventBuilder::new(RESPONSE, content).tag(to_service).sign_with_keys(&self.wallet).unwrap()
    }

    /// Something for the service to publish, different each time.
    fn challenge(&self) -> Publication {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let content = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let to_wallet = Tag::public_key(self.wallet.public_key());
        let event =
            EventBuilder::new(CHALLENGE, content).tag(to_wallet).sign_with_keys(&self.service).unwrap();
        let expires_at = SystemClock.now().plus(Duration::from_secs(300));
        Publication { event: Arc::new(event), also: Vec::new(), only: None, expires_at }
    }

    async fn signal(&mut self) -> Signal {
        soon("a signal", self.signals.recv()).await.expect("the relay side runs")
    }

    async fn event(&mut self) -> Event {
        match self.signal().await {
            Signal::Event { event, .. } => *event,
            other => panic!("expected an event, got {other:?}"),
        }
    }
}

fn frame(event: &Event) -> String {
    format!(r#"["EVENT","{{sub}}",{}]"#, event.as_json())
}

#[tokio::test]
async fn an_event_that_two_relays_bring_arrives_once() {
    let (a, b) = (TestRelay::start().await, TestRelay::start().await);
    let mut bench = Bench::ready(&[&a, &b]).await;
    let (first, second) = (bench.response("first"), bench.response("second"));
    a.publish(&first);
    b.publish(&first);
    bench.until(&a, "both", |health| health.counters.received == 1).await;
    bench.until(&b, "both", |health| health.counters.received == 1).await;
    assert_eq!(bench.event().await, first);
    a.publish(&second);
    assert_eq!(bench.event().await, second);
    let duplicates = bench.health(&a).counters.duplicates + bench.health(&b).counters.duplicates;
    assert_eq!(duplicates, 1);
}

#[tokio::test]
async fn a_hostile_relay_cannot_forge_an_event_under_a_known_id() {
    let (honest, hostile) = (TestRelay::start().await, TestRelay::start().await);
    let mut bench = Bench::ready(&[&honest, &hostile]).await;
    let genuine = bench.response("approved by nobody else");
    honest.publish(&genuine);
    assert_eq!(bench.event().await, genuine);

    let mut forged = bench.response("forged");
    forged.id = genuine.id;
    forged.sig = genuine.sig;
    hostile.inject(&frame(&forged));
    let mut unknown = bench.response("forged");
    unknown.content = "forged otherwise".to_owned();
    hostile.inject(&frame(&unknown));
    bench
        .until(&hostile, "both refused", |health| {
            (health.counters.duplicates, health.counters.forged) == (1, 1)
        })
        .await;

    let next = bench.response("next");
    hostile.publish(&next);
    assert_eq!(bench.event().await, next, "nothing came in between");
}

#[tokio::test]
async fn garbage_and_frames_nobody_asked_for_do_no_harm() {
    let relay = TestRelay::start().await;
    let mut bench = Bench::ready(&[&relay]).await;
    let unasked = bench.response("unasked");
    let frames = [
        "garbage".to_owned(),
        String::new(),
        r#"["EVENT","{sub}",{"id":"#.to_owned(),
        r#"["EVENT","{sub}",{}]"#.to_owned(),
        r#"["OK","nonsense",true]"#.to_owned(),
        r#"["AUTH","unterminated]"#.to_owned(),
        r#"["EOSE"]"#.to_owned(),
        format!(r#"["EVENT","another",{}]"#, unasked.as_json()),
        format!(r#"["EVENT","{{sub}}",{}]"#, "[".repeat(100_000)),
        format!(r#"["NOTICE","{}"]"#, "x".repeat(100_000)),
    ];
    for frame in &frames {
        relay.inject(frame);
    }
    bench.until(&relay, "all", |health| health.counters.garbage == frames.len() as u64).await;
    let event = bench.response("still here");
    relay.publish(&event);
    assert_eq!(bench.event().await, event);
    assert_eq!(relay.state().connections_seen, 1, "the connection was kept");
}

#[tokio::test]
async fn a_message_of_any_size_does_not_fill_the_memory() {
    let relay = TestRelay::start().await;
    let mut bench = Bench::ready(&[&relay]).await;
    relay.inject(&"x".repeat(2 * 1024 * 1024));
    relay.until("a new connection", |state| state.connections_seen == 2).await;
    relay.until_subscribed(1).await;
    let event = bench.response("after that");
    relay.publish(&event);
    assert_eq!(bench.event().await, event);
}

#[tokio::test]
async fn after_a_lost_connection_it_subscribes_again_even_within_the_same_second() {
    let relay = TestRelay::start().await;
    let mut bench = Bench::ready(&[&relay]).await;
    for round in 0..5 {
        relay.close_all();
        relay.until("a new connection", |state| state.connections_seen == round + 2).await;
        relay.until_subscribed(1).await;
        let event = bench.response(&round.to_string());
        relay.publish(&event);
        assert_eq!(bench.event().await, event);
    }
}

#[tokio::test]
async fn whatever_reason_a_relay_closes_the_subscription_for_it_is_opened_again() {
    let relay = TestRelay::start().await;
    let mut bench = Bench::ready(&[&relay]).await;
    for reason in [
        "",
        "error: shutting down",
        "restricted: no",
        "blocked: no",
        "rate-limited: slow",
        "auth-required: x",
    ] {
        relay.send_closed(reason);
        relay.until_subscribed(1).await;
        let event = bench.response(reason);
        relay.publish(&event);
        assert_eq!(bench.event().await, event, "after {reason:?}");
    }
}

#[tokio::test]
async fn it_logs_in_where_a_relay_asks_for_it() {
    let relay = TestRelay::with().requires_auth().start().await;
    // So long a back-off that only the login can be what makes it ask again.
    let options = RelayOptions { retry: Duration::from_secs(1000), ..options([relay.url()]) };
    let mut bench = Bench::with(options, |_: &Event| true).await;
    soon("a ready relay", bench.relays.ready()).await;
    assert_eq!(relay.state().logins, 1);
    let event = bench.response("hello");
    relay.publish(&event);
    assert_eq!(bench.event().await, event);
    let publication = bench.challenge();
    bench.relays.publish(publication.clone());
    bench.until(&relay, "an OK", |health| health.counters.accepted == 1).await;
}

#[tokio::test]
async fn what_is_open_is_published_again_when_a_relay_comes_back_and_what_is_withdrawn_is_not() {
    let mut relay = TestRelay::start().await;
    let bench = Bench::ready(&[&relay]).await;
    let (kept, withdrawn) = (bench.challenge(), bench.challenge());
    bench.relays.publish(kept.clone());
    relay.until("the first", |state| state.times_received(&kept.event) == 1).await;

    relay.stop();
    bench.until(&relay, "gone", |health| health.state == RelayState::Connecting).await;
    bench.relays.publish(withdrawn.clone());
    bench.relays.withdraw(&withdrawn.event.id);
    relay.restart().await;

    relay.until("the same event again", |state| state.times_received(&kept.event) == 2).await;
    assert_eq!(relay.state().times_received(&withdrawn.event), 0);
}

#[tokio::test]
async fn what_is_published_without_any_relay_goes_out_as_soon_as_there_is_one() {
    let relay = TestRelay::start().await;
    let bench = Bench::start(&[]).await;
    let publication = bench.challenge();
    bench.relays.publish(publication.clone());
    assert_eq!(bench.relays.add(RelaySpec::read_write(relay.url())).await, Ok(true));
    assert_eq!(bench.relays.add(RelaySpec::read_write(relay.url())).await, Ok(false));
    relay.until("the event", |state| state.times_received(&publication.event) == 1).await;
    assert_eq!(bench.relays.urls_for_handshake(), [relay.url()]);
    assert_eq!(bench.health(&relay).origin, Origin::Added);

    assert_eq!(bench.relays.remove(&relay.url()).await, Ok(true));
    assert_eq!(bench.relays.remove(&relay.url()).await, Ok(false));
    relay.until_subscribed(0).await;
    assert!(bench.relays.urls_for_handshake().is_empty());
}

#[tokio::test]
async fn a_publication_without_an_answer_is_repeated_and_needs_no_ok() {
    let relay = TestRelay::with().no_ok_for_ephemeral().start().await;
    let bench = Bench::ready(&[&relay]).await;
    let publication = bench.challenge();
    bench.relays.publish(publication.clone());
    relay.until("the event twice", |state| state.times_received(&publication.event) == 2).await;
    bench.relays.withdraw(&publication.event.id);
    assert_eq!(bench.health(&relay).counters.accepted, 0);
}

#[tokio::test]
async fn a_black_hole_delays_nobody() {
    let (hole, relay) = (TestRelay::with().black_hole().start().await, TestRelay::start().await);
    let options =
        RelayOptions { eose_timeout: Duration::from_secs(3600), ..options([hole.url(), relay.url()]) };
    let mut bench = Bench::with(options, |_: &Event| true).await;
    let waiting = async {
        bench.relays.ready().await;
        let publication = bench.challenge();
        bench.relays.publish(publication.clone());
        relay.until("the event", |state| state.times_received(&publication.event) == 1).await;
        bench.relays.fetch_metadata(&bench.wallet.public_key(), Duration::from_secs(3600)).await;
        let event = bench.response("answer");
        relay.publish(&event);
        assert_eq!(bench.event().await, event);
    };
    soon("everything", waiting).await;
    assert_eq!(bench.health(&hole).state, RelayState::Subscribing);
}

#[tokio::test]
async fn a_burst_of_publications_goes_out_whole() {
    let relay = TestRelay::start().await;
    let bench = Bench::ready(&[&relay]).await;
    let burst: Vec<_> = std::iter::repeat_with(|| bench.challenge()).take(3000).collect();
    for publication in &burst {
        bench.relays.publish(publication.clone());
    }
    let last = burst.last().unwrap();
    relay.until("the last of them", |state| state.times_received(&last.event) > 0).await;
    let received: std::collections::HashSet<_> =
        relay.state().received.iter().map(|event| event.id).collect();
    assert_eq!(received.len(), burst.len());
}

#[tokio::test]
async fn an_event_refused_as_too_old_is_told_and_not_sent_there_again() {
    let (strict, lenient) =
        (TestRelay::with().refuses_older_than(60).start().await, TestRelay::start().await);
    let mut bench = Bench::ready(&[&strict, &lenient]).await;
    let old = nostr_sdk::Timestamp::from_secs(SystemClock.now().secs() - 100);
    let event =
        EventBuilder::new(CHALLENGE, "").custom_created_at(old).sign_with_keys(&bench.service).unwrap();
    let publication = Publication { event: Arc::new(event), ..bench.challenge() };
    bench.relays.publish(publication.clone());
    let expected = Signal::Refused {
        event_id: publication.event.id,
        relay: strict.url(),
        reason: "invalid: ephemeral event expired".to_owned(),
        too_old: true,
    };
    assert_eq!(bench.signal().await, expected);
    lenient.until("a repetition", |state| state.times_received(&publication.event) == 2).await;
    // Nor on a new connection: there the next event comes alone.
    strict.close_all();
    strict.until_subscribed(1).await;
    let next = Publication { only: Some(strict.url()), ..bench.challenge() };
    bench.relays.publish(next.clone());
    strict.until("the next event", |state| state.times_received(&next.event) == 1).await;
    assert_eq!(strict.state().times_received(&publication.event), 1);
    assert_eq!(lenient.state().times_received(&next.event), 0, "that was for the strict relay only");
}

#[tokio::test]
async fn there_is_never_more_than_one_subscription_per_connection() {
    let relay = TestRelay::with().max_subs(1).start().await;
    let mut bench = Bench::ready(&[&relay]).await;
    for n in 0..50 {
        bench.relays.publish(bench.challenge());
        let event = bench.response(&n.to_string());
        relay.publish(&event);
        assert_eq!(bench.event().await, event);
    }
    relay.close_all();
    relay.until_subscribed(1).await;
    let state = relay.state();
    assert_eq!((state.max_subscriptions_seen, state.connections_seen, state.reqs_seen), (1, 2, 2));
}

#[tokio::test]
async fn a_flood_of_unwanted_events_ends_at_the_gate() {
    let relay = TestRelay::start().await;
    let stranger = Keys::generate();
    let options = options([relay.url()]);
    let unwanted = stranger.public_key();
    let mut bench = Bench::with(options, move |event: &Event| event.pubkey != unwanted).await;
    soon("a ready relay", bench.relays.ready()).await;
    let to_service = Tag::public_key(bench.service.public_key());
    let flood = EventBuilder::new(RESPONSE, "flood").tag(to_service).sign_with_keys(&stranger).unwrap();
    for _ in 0..500 {
        relay.publish(&flood);
    }
    let wanted = bench.response("wanted");
    relay.publish(&wanted);
    assert_eq!(bench.event().await, wanted);
    let refused = |health: &RelayHealth| (health.counters.unwanted, health.counters.duplicates) == (500, 0);
    bench.until(&relay, "the flood", refused).await;
}

#[tokio::test]
async fn frames_dropped_in_a_flood_are_made_up_for() {
    let (flooding, quiet) = (TestRelay::start().await, TestRelay::start().await);
    // An inbox nobody empties: its one place is taken, the workers wait, the queue fills.
    let options = RelayOptions { inbox: 1, queue_per_relay: 1, ..options([flooding.url(), quiet.url()]) };
    let bench = Bench::with(options, |_: &Event| true).await;
    bench.until_list("all ready", |list| list.iter().all(|health| health.state == RelayState::Ready)).await;
    let publication = bench.challenge();
    bench.relays.publish(publication.clone());
    // After the second time an event is left alone for four seconds.
    quiet.until("the event twice", |state| state.times_received(&publication.event) == 2).await;
    flooding.until("the event twice", |state| state.times_received(&publication.event) == 2).await;
    for n in 0..100 {
        flooding.publish(&bench.response(&n.to_string()));
    }
    flooding.until("another REQ", |state| state.reqs_seen == 2).await;
    flooding.until("the event again", |state| state.times_received(&publication.event) == 3).await;
    assert_eq!(quiet.state().times_received(&publication.event), 2, "it was not due yet");
    assert!(bench.health(&flooding).counters.dropped > 0);
}

#[tokio::test]
async fn readiness_is_remembered() {
    let before = SystemClock.now();
    let mut relay = TestRelay::start().await;
    let bench = Bench::with(options([]), |_: &Event| true).await;
    assert!(!bench.relays.any_ready_since(Timestamp::from_secs(0)));
    bench.relays.add(RelaySpec::read_write(relay.url())).await.unwrap();
    soon("a ready relay", bench.relays.ready()).await;
    assert!(bench.relays.any_ready_since(SystemClock.now()));

    relay.stop();
    bench.until(&relay, "gone", |health| health.state == RelayState::Connecting).await;
    assert!(bench.relays.any_ready_since(before));
    assert!(!bench.relays.any_ready_since(SystemClock.now().plus(Duration::from_millis(1))));
    assert!(bench.health(&relay).ready_since.is_none());
}

#[tokio::test]
async fn a_preferred_relay_is_connected_for_those_who_prefer_it_only() {
    let (ours, theirs) = (TestRelay::start().await, TestRelay::start().await);
    let mut bench = Bench::ready(&[&ours]).await;
    let for_them = Publication { also: vec![theirs.url()], ..bench.challenge() };
    let for_others = bench.challenge();
    bench.relays.publish(for_them.clone());
    bench.relays.publish(for_others.clone());
    theirs.until("the event", |state| state.times_received(&for_them.event) == 1).await;
    ours.until("both", |state| state.received.len() >= 2).await;
    assert_eq!(bench.health(&theirs).origin, Origin::Preferred);
    assert_eq!(bench.relays.urls_for_handshake(), [ours.url()]);
    assert_eq!(bench.relays.remove(&theirs.url()).await, Ok(false), "not the operator's to remove");

    let answer = bench.response("answered where they are");
    theirs.publish(&answer);
    assert_eq!(bench.event().await, answer);
    assert_eq!(theirs.state().times_received(&for_others.event), 0);

    assert_eq!(bench.relays.add(RelaySpec::read_write(theirs.url())).await, Ok(true));
    theirs.until("what is for all", |state| state.times_received(&for_others.event) == 1).await;
}

#[tokio::test]
async fn strangers_cannot_make_us_hold_any_number_of_connections() {
    let relays = [TestRelay::start().await, TestRelay::start().await, TestRelay::start().await];
    let options = RelayOptions { max_preferred: 2, max_preferred_per_user: 1, ..options([]) };
    let bench = Bench::with(options, |_: &Event| true).await;
    for relay in &relays {
        let also = vec![relay.url(), "wss://over.the.limit.example".parse().unwrap()];
        bench.relays.publish(Publication { also, ..bench.challenge() });
        relay.until_subscribed(1).await;
    }
    relays[0].until_subscribed(0).await;
    let listed: Vec<_> = bench.relays.list().into_iter().map(|health| health.url).collect();
    assert_eq!(listed, [relays[1].url(), relays[2].url()]);
    let wanted = ["ws://127.0.0.1:1".to_owned(), "ws://127.0.0.1:2".to_owned()];
    assert_eq!(bench.relays.filter_preferred(&wanted).len(), 1);
}

#[tokio::test]
async fn strangers_cannot_make_us_connect_to_private_addresses() {
    let hidden = TestRelay::start().await;
    let options = RelayOptions { allow_private: false, ..options([]) };
    let bench = Bench::with(options, |_: &Event| true).await;
    let url = hidden.url().to_string();
    let by_name: RelayUrl = url.replace("ws://127.0.0.1", "wss://localhost").parse().unwrap();
    let also = vec![hidden.url(), by_name.clone()];
    assert!(bench.relays.filter_preferred(&[url]).is_empty());
    bench.relays.publish(Publication { also, ..bench.challenge() });
    bench
        .until_list("the refusal", |list| {
            matches!(list, [only] if only.url == by_name && only.last_error == Some(LinkError::PrivateAddress))
        })
        .await;
    assert_eq!(hidden.state().connections_seen, 0);
}

#[tokio::test]
async fn a_profile_is_the_newest_that_is_genuine_whatever_relays_say() {
    let (honest, stale, lying, silent) = (
        TestRelay::start().await,
        TestRelay::start().await,
        TestRelay::start().await,
        TestRelay::with().black_hole().start().await,
    );
    let options = RelayOptions {
        eose_timeout: Duration::from_millis(10),
        ..options([honest.url(), stale.url(), lying.url(), silent.url()])
    };
    let bench = Bench::with(options, |_: &Event| true).await;
    bench.until_list("all ready", |list| list.iter().all(|health| health.state == RelayState::Ready)).await;

    let profile = |at: u64| {
        let at = nostr_sdk::Timestamp::from_secs(at);
        EventBuilder::new(Kind::Metadata, "{}").custom_created_at(at).sign_with_keys(&bench.wallet).unwrap()
    };
    let (old, new, mut forged) = (profile(1000), profile(2000), profile(3000));
    forged.content = r#"{"name":"somebody else"}"#.to_owned();
    stale.publish(&old);
    honest.publish(&new);
    lying.publish(&forged);
    let fetched = bench.relays.fetch_metadata(&bench.wallet.public_key(), Duration::from_millis(500)).await;
    assert_eq!(fetched, Some(new));
    assert_eq!(bench.relays.fetch_metadata(&Keys::generate().public_key(), Duration::ZERO).await, None);
    honest.until_subscribed(1).await;
}

#[tokio::test]
async fn publishing_once_tells_what_each_relay_made_of_it() {
    let (taking, silent) = (TestRelay::start().await, TestRelay::with().no_ok_for_ephemeral().start().await);
    let (strict, mut gone) =
        (TestRelay::with().refuses_older_than(60).start().await, TestRelay::start().await);
    let bench = Bench::ready(&[&taking, &silent, &strict, &gone]).await;
    gone.stop();
    bench.until(&gone, "gone", |health| health.state == RelayState::Connecting).await;
    let old = nostr_sdk::Timestamp::from_secs(1000);
    let event =
        EventBuilder::new(CHALLENGE, "").custom_created_at(old).sign_with_keys(&bench.service).unwrap();
    let outcomes = bench.relays.publish_once(&event, Duration::from_millis(500)).await;
    let expected = [
        (taking.url(), Outcome::Accepted),
        (silent.url(), Outcome::NoAnswer),
        (strict.url(), Outcome::Refused("invalid: ephemeral event expired".to_owned())),
        (gone.url(), Outcome::NotConnected),
    ];
    assert_eq!(outcomes, expected);
}

#[tokio::test]
async fn a_stop_ends_everything_and_is_final() {
    let relay = TestRelay::start().await;
    let mut bench = Bench::ready(&[&relay]).await;
    soon("the stop", bench.relays.shutdown()).await;
    relay.until_subscribed(0).await;
    assert_eq!(soon("the end of the signals", bench.signals.recv()).await, None);
    let added = bench.relays.add(RelaySpec::read_write(relay.url())).await;
    assert!(added.is_err(), "{added:?}");
}
