//! What is published gets there, and nobody waits for a relay that does not.

use std::collections::HashSet;
use std::time::Duration;

use nostr_sdk::prelude::{Event, RelayUrl};
use portico::relay::{Origin, Publication, RelayOptions, RelaySpec, RelayState, Signal};

use crate::bench::{Bench, options, soon};
use crate::support::relay::TestRelay;

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
    assert_eq!(bench.health(&relay).origin, Origin::Operator);

    assert_eq!(bench.relays.remove(&relay.url()).await, Ok(true));
    assert_eq!(bench.relays.remove(&relay.url()).await, Ok(false));
    relay.until_subscribed(0).await;
    assert!(bench.relays.urls_for_handshake().is_empty());
}

#[tokio::test]
async fn a_login_url_names_at_most_five_relays_and_those_first_that_are_ready() {
    let relay = TestRelay::start().await;
    let nobody = (1..=6).map(|port| format!("ws://127.0.0.1:{port}").parse().unwrap());
    let down: Vec<RelayUrl> = nobody.collect();
    let bench = Bench::start(&[]).await;
    for url in &down {
        assert_eq!(bench.relays.add(RelaySpec::read_write(url.clone())).await, Ok(true));
    }
    assert_eq!(bench.relays.urls_for_handshake(), down[..5]);
    assert_eq!(bench.relays.add(RelaySpec::read_write(relay.url())).await, Ok(true));
    bench.until(&relay, "ready", |health| health.state == RelayState::Ready).await;
    let named = [&[relay.url()], &down[..4]].concat();
    assert_eq!(bench.relays.urls_for_handshake(), named);
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
    let received: HashSet<_> = relay.state().received.iter().map(|event| event.id).collect();
    assert_eq!(received.len(), burst.len());
}

#[tokio::test]
async fn an_event_refused_as_too_old_is_told_and_not_sent_there_again() {
    let (strict, lenient) =
        (TestRelay::with().refuses_older_than(60).start().await, TestRelay::start().await);
    let mut bench = Bench::ready(&[&strict, &lenient]).await;
    let publication = bench.old_challenge(Duration::from_secs(100));
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
    let next = Publication { only: vec![strict.url()], ..bench.challenge() };
    bench.relays.publish(next.clone());
    strict.until("the next event", |state| state.times_received(&next.event) == 1).await;
    assert_eq!(strict.state().times_received(&publication.event), 1);
    assert_eq!(lenient.state().times_received(&next.event), 0, "that was for the strict relay only");
}
