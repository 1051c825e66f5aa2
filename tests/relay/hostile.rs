//! A relay that is hostile is left alone, and given another chance.

use std::time::Duration;

use nostr_sdk::prelude::Event;
use portico::relay::{LinkError, RelayOptions, RelayState};

use crate::bench::{Bench, options};
use crate::support::relay::TestRelay;

#[tokio::test]
async fn a_relay_that_has_stopped_lying_is_used_again_after_its_pause() {
    let (liar, honest) = (TestRelay::start().await, TestRelay::start().await);
    let options = RelayOptions { pause: Duration::from_millis(200), ..options([liar.url(), honest.url()]) };
    let mut bench = Bench::with(options, |_: &Event| true).await;
    bench.until_list("all ready", |list| list.iter().all(|health| health.state == RelayState::Ready)).await;

    liar.flood("portico", ["lies".to_owned()]);
    bench.until(&liar, "the pause", |health| health.state == RelayState::Paused).await;
    let health = bench.health(&liar);
    assert_eq!((health.last_error, health.ready_since), (Some(LinkError::Hostile), None));
    assert!(bench.relays.any_ready_since(portico::clock::Timestamp::from_secs(0)), "the other is there");

    liar.flood("portico", []);
    bench.until(&liar, "its return", |health| health.state == RelayState::Ready).await;
    assert_eq!(bench.health(&liar).last_error, None);
    let event = bench.response("the truth");
    liar.publish(&event);
    assert_eq!(bench.event().await, event);
}
