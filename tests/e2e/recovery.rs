//! The cable is cut: the daemon, the relay or both go away in the middle of a login and come back.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::login::types;
use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;

#[tokio::test]
async fn a_daemon_killed_between_challenge_and_answer_gets_the_answer_after_its_restart() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    daemon.kill_9().await;
    relay.until_subscribed(1).await;
    let daemon = daemon.restart().await;
    relay.until_subscribed(2).await;
    // The challenge goes out again for wallets that were away: the same event, which a wallet drops.
    relay.until("the challenge, sent again", |state| state.times_received(&asked.event) > 1).await;
    phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["key_handshake", "authenticate_key"]);
    assert_eq!(events[1]["challenge"], asked.challenge.challenge);
    assert_eq!(phone.new_messages(), 0, "the wallet was asked once");
}

#[tokio::test]
async fn a_wallet_that_was_offline_when_it_was_asked_is_asked_when_it_comes() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    let mut phone = Phone::new();
    let stream = daemon.rest().authenticate(phone.key()).await;
    relay.until("a challenge for nobody", |state| !state.received.is_empty()).await;
    daemon.kill_9().await;
    phone.connect(&relay.url()).await;
    let daemon = daemon.restart().await;
    let asked = phone.challenge().await;
    assert_eq!(relay.state().received[0].id, asked.event.id, "the same event as before the restart");
    relay.until_subscribed(2).await;
    phone.approve(&asked).await;
    assert_eq!(types(&daemon.ended(&stream).await), ["authenticate_key"]);
}

#[tokio::test]
async fn a_relay_that_dies_and_returns_between_challenge_and_answer_delays_the_login_only() {
    let mut relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    let stream = daemon.rest().authenticate(phone.key()).await;
    let asked = phone.challenge().await;
    relay.stop();
    relay.restart().await;
    relay.until_subscribed(1).await;
    relay.until("the challenge, sent again", |state| state.times_received(&asked.event) > 1).await;
    phone.disconnect();
    phone.connect(&relay.url()).await;
    phone.approve(&asked).await;
    assert_eq!(types(&daemon.ended(&stream).await), ["authenticate_key"]);
    assert_eq!(phone.new_messages(), 0, "the wallet was asked once");
}

#[tokio::test]
async fn a_login_begun_without_any_relay_goes_on_when_one_comes() {
    let mut relay = TestRelay::start().await;
    relay.stop();
    let daemon = Daemon::on(&[&relay]).start().await;
    let mut phone = Phone::new();
    let stream = daemon.rest().authenticate(phone.key()).await;
    relay.restart().await;
    phone.connect(&relay.url()).await;
    let asked = phone.challenge().await;
    relay.until_subscribed(2).await;
    phone.approve(&asked).await;
    assert_eq!(types(&daemon.ended(&stream).await), ["authenticate_key"]);
}

#[tokio::test]
async fn a_black_hole_among_three_relays_delays_no_login() {
    let (first, second) = (TestRelay::start().await, TestRelay::start().await);
    let hole = TestRelay::with().black_hole().start().await;
    let daemon = Daemon::on(&[&hole, &first, &second]).start_subscribed(&[&first, &second]).await;
    let mut phone = Phone::new();
    phone.connect(&first.url()).await;
    phone.connect(&second.url()).await;
    let started = Instant::now();
    let (url, stream) = daemon.rest().login(json!({})).await;
    assert_eq!(url.matches("ws%3A%2F%2F").count(), 3, "{url}");
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["key_handshake", "authenticate_key"]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(phone.prompts(), 1);
    assert_eq!(phone.new_messages(), 0, "both relays brought the same event");
}

#[tokio::test]
async fn relays_that_find_the_challenge_too_old_all_get_one_new_event() {
    let (first, second) = (TestRelay::start().await, TestRelay::start().await);
    let mut daemon = Daemon::start(&[&first, &second]).await;
    let mut phone = Phone::new();
    let stream = daemon.rest().authenticate(phone.key()).await;
    for relay in [&first, &second] {
        relay.until("the challenge", |state| !state.received.is_empty()).await;
    }
    daemon.kill_9().await;
    let old = first.state().received[0].clone();
    for relay in [&first, &second] {
        relay.state().expired.insert(old.id);
    }

    // A wallet that is on both is asked once, wherever the new event came from.
    phone.connect(&first.url()).await;
    phone.connect(&second.url()).await;
    let daemon = daemon.restart().await;
    let asked = phone.challenge().await;
    assert_ne!(asked.event.id, old.id);
    for relay in [&first, &second] {
        relay.until("the new event", |state| state.times_received(&asked.event) > 0).await;
        relay.until_subscribed(2).await;
    }
    phone.approve(&asked).await;
    assert_eq!(types(&daemon.ended(&stream).await), ["authenticate_key"]);
    assert_eq!(phone.new_messages(), 0);
}

#[tokio::test]
async fn sigterm_in_the_middle_of_a_login_is_clean_and_the_login_goes_on_after_it() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    let (url, stream) = daemon.rest().login(json!({})).await;
    let mut watching = daemon.websocket().await;
    watching.subscribe(&stream, 0).await;
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    watching.notification(&stream).await;
    let started = Instant::now();
    assert!(daemon.terminate().await.success());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let (said, closed) = watching.until_closed().await;
    assert_eq!((said.len(), u16::from(closed.unwrap().code)), (0, 1001), "going away, and no event");
    assert!(!daemon.socket().exists(), "it takes its socket with it");

    let daemon = daemon.restart().await;
    relay.until_subscribed(2).await;
    phone.approve(&asked).await;
    assert_eq!(types(&daemon.ended(&stream).await), ["key_handshake", "authenticate_key"]);
    assert_eq!(phone.prompts(), 1);
}

#[tokio::test]
async fn relays_added_and_removed_at_run_time_stay_so_after_a_restart() {
    let (configured, added) = (TestRelay::start().await, TestRelay::start().await);
    let mut daemon = Daemon::start(&[&configured]).await;
    let rest = daemon.rest();
    let relay = rest.post("/relays", json!({ "relay": added.url() })).await.data();
    assert_eq!(relay["relay"], added.url().to_string());
    added.until_subscribed(1).await;
    let mut socket = daemon.websocket().await;
    let removed = socket.data("RemoveRelay", json!({ "relay": configured.url() })).await;
    assert_eq!(removed["type"], "remove_relay");
    configured.until_subscribed(0).await;
    daemon.kill_9().await;

    let daemon = daemon.restart().await;
    added.until_subscribed(1).await;
    let (url, stream) = daemon.rest().login(json!({})).await;
    assert_eq!(url.matches("ws%3A%2F%2F").count(), 1, "{url}");
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    assert_eq!(daemon.ended(&stream).await.len(), 2);
    assert_eq!(configured.state().connections_seen, 1, "not connected again");
    for nonsense in ["", "http://x.example", "ws://", "relay.example"] {
        let answer = daemon.rest().post("/relays", json!({ "relay": nonsense })).await;
        assert_eq!(answer.refusal(), crate::support::rest::refused(400, "bad_request"), "{nonsense}");
    }
}
