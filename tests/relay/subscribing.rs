//! Being subscribed, always, and with one subscription.

use std::time::Duration;

use nostr_sdk::prelude::Event;
use portico::clock::{Clock, SystemClock, Timestamp};
use portico::relay::{Problem, RelayError, RelayOptions, RelaySpec, RelayState};
use portico::tls::Tls;

use crate::bench::{Bench, options, soon};
use crate::support::relay::TestRelay;

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
async fn a_stop_ends_everything_and_is_final() {
    let relay = TestRelay::start().await;
    let bench = Bench::ready(&[&relay]).await;
    soon("the stop", bench.relays.shutdown()).await;
    relay.until_subscribed(0).await;
    soon("the end of everything", bench.relays.stopped()).await;
    let added = bench.relays.add(RelaySpec::read_write(relay.url())).await;
    assert_eq!(added, Err(RelayError::Stopped));
}

#[tokio::test]
async fn how_long_a_relay_takes_to_answer_is_measured() {
    let relay = TestRelay::start().await;
    let bench = Bench::ready(&[&relay]).await;
    bench.until(&relay, "a latency", |health| health.latency.is_some_and(|time| !time.is_zero())).await;
}

#[tokio::test]
async fn a_relay_that_comes_and_goes_fast_has_one_connection_in_the_end() {
    let relay = TestRelay::start().await;
    let bench = Bench::start(&[]).await;
    let list = || vec![RelaySpec::read_write(relay.url())];
    for n in 0..200 {
        bench.relays.configure(list()).await.unwrap();
        // At different moments of the connection: it is not begun, under way, or there.
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        bench.relays.configure(Vec::new()).await.unwrap();
    }
    bench.relays.configure(list()).await.unwrap();
    relay.until_subscribed(1).await;
    let before = relay.state().connections_seen;
    for times in 1..=5 {
        relay.close_all();
        relay.until_subscribed(1).await;
        bench.until(&relay, "ready", |health| health.counters.connected > times).await;
    }
    assert_eq!(relay.state().connections_seen - before, 5, "nobody but the one connection comes again");
}

#[tokio::test]
async fn a_relay_that_is_only_read_or_only_written_does_not_make_the_service_ready() {
    let (read, written) = (TestRelay::start().await, TestRelay::start().await);
    let relays = [(&read, true, false), (&written, false, true)].map(|(relay, read, write)| RelaySpec {
        read,
        write,
        ..RelaySpec::read_write(relay.url())
    });
    let bench = Bench::with(RelayOptions { relays: relays.into(), ..options([]) }, |_: &Event| true).await;
    for relay in [&read, &written] {
        bench.until(relay, "ready", |health| health.state == RelayState::Ready).await;
        assert!(
            !bench.health(relay).is_ready_for_logins(),
            "no login URL names it, or no answer comes over it"
        );
    }
    assert!(!bench.relays.any_ready_since(Timestamp::from_secs(0)));
}

#[tokio::test]
async fn a_login_that_a_relay_refuses_is_told_with_its_reason() {
    let relay = TestRelay::with().requires_auth().refuses_logins("restricted: members only").start().await;
    let bench = Bench::start(&[&relay]).await;
    let told = Some("login (NIP-42): restricted: members only");
    bench.until(&relay, "the refusal", |health| health.last_refusal.as_deref() == told).await;
    assert!(!bench.relays.any_ready_since(Timestamp::from_secs(0)));

    let checkup = portico::relay::check(&relay.url(), Duration::from_secs(1), &Tls::default()).await;
    assert_eq!(checkup.login_refused.as_deref(), Some("restricted: members only"));
    assert_eq!(checkup.problem, Some(Problem::LoginRefused("restricted: members only".into())));
}
