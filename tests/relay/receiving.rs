//! What relays bring: genuine, wanted, once, and whatever else they send.

use nostr_sdk::prelude::{Event, EventBuilder, JsonUtil, Keys, Tag};
use portico::relay::{RelayHealth, RelayOptions, RelayState};

use crate::bench::{Bench, RESPONSE, options, soon};
use crate::support::relay::TestRelay;

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
        format!(r#"["AUTH","{}"]"#, "x".repeat(100_000)),
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

/// A frame that carries an event, whatever it is, in our subscription.
fn frame(event: &Event) -> String {
    format!(r#"["EVENT","{{sub}}",{}]"#, event.as_json())
}
