//! Relays that wallets name.

use std::time::Duration;

use nostr_sdk::prelude::{Event, RelayUrl};
use portico::relay::{LinkError, Origin, Publication, RelayOptions, RelaySpec};
use tokio::runtime::Handle;

use crate::bench::{Bench, options, soon};
use crate::support::relay::TestRelay;

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
async fn relays_that_strangers_name_leave_nothing_behind_when_they_make_room_for_others() {
    const EACH_TIME: u64 = 100;
    let options = RelayOptions { max_preferred: 2, ..options([]) };
    let bench = Bench::with(options, |_: &Event| true).await;
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    for time in 1..=5 {
        for n in 0..EACH_TIME {
            // Nobody listens there.
            let relay = |name: char| format!("ws://127.0.0.1:1/{time}-{n}-{name}").parse().unwrap();
            bench.relays.publish(Publication { also: vec![relay('a'), relay('b')], ..bench.challenge() });
        }
        let displaced = time * EACH_TIME * 2 - 2;
        bench.until_list("the others", |_| bench.relays.preferred_in_all().1 == displaced).await;
    }
    let of_two_relays = 2 * 3;
    let gone = async {
        let mut look = tokio::time::interval(Duration::from_millis(2));
        while alive() > before + of_two_relays {
            look.tick().await;
        }
    };
    soon("the end of the tasks of a thousand relays", gone).await;
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
