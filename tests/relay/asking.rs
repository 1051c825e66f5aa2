//! Questions with an answer: profiles, and what a relay made of an event.

use std::time::Duration;

use nostr_sdk::prelude::{Event, EventBuilder, Keys, Kind};
use portico::relay::{Outcome, RelayOptions, RelayState};

use crate::bench::{Bench, options};
use crate::support::relay::TestRelay;

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
    let event = bench.old_challenge(Duration::from_secs(100)).event;
    let outcomes = bench.relays.publish_once(&event, Duration::from_millis(500)).await;
    let expected = [
        (taking.url(), Outcome::Accepted),
        (silent.url(), Outcome::NoAnswer),
        (strict.url(), Outcome::Refused("invalid: ephemeral event expired".to_owned())),
        (gone.url(), Outcome::NotConnected),
    ];
    assert_eq!(outcomes, expected);
}
