//! Prompt bombing: an attacker starts login after login until the tired user approves one.

use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, refused};

async fn ask(daemon: &Daemon, phone: &Phone) -> Answer {
    daemon.rest().post("/authenticate-key", json!({ "main_key": phone.key(), "subkeys": [] })).await
}

fn assert_told_to_wait(answer: &Answer, at_most: u64) {
    assert_eq!(answer.refusal(), refused(429, "limit_reached"));
    let wait: u64 = answer.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=at_most).contains(&wait), "{wait}");
}

#[tokio::test]
async fn prompt_bombing_stops_at_the_fourth_open_challenge_and_a_restart_forgets_none() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    for _ in 0..3 {
        ask(&daemon, &phone).await.data();
    }
    assert_told_to_wait(&ask(&daemon, &phone).await, 300);
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    assert_told_to_wait(&ask(&daemon, &phone).await, 300);

    // Somebody else is asked all the same, and so is the user again once one was answered.
    ask(&daemon, &Phone::new()).await.data();
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(phone.challenge().await);
    }
    relay.until("the daemon's return", |state| state.subscriptions() == 2).await;
    phone.decline(&asked[0], None).await;
    daemon.until_logged("challenge ended").await;
    ask(&daemon, &phone).await.data();
}

#[tokio::test]
async fn prompt_bombing_stops_at_the_tenth_prompt_even_when_each_is_declined_at_once() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    for _ in 0..10 {
        let stream = daemon.rest().authenticate(phone.key()).await;
        let asked = phone.challenge().await;
        phone.decline(&asked, None).await;
        daemon.ended(&stream).await;
    }
    assert_told_to_wait(&ask(&daemon, &phone).await, 600);
    assert_eq!(phone.prompts(), 10);
}

#[tokio::test]
async fn a_login_url_scanned_by_a_user_who_was_asked_too_often_ends_as_an_error() {
    let relay = TestRelay::start().await;
    let config = "[auth]\nmax_prompts_per_user = 1\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    daemon.rest().authenticate(phone.key()).await;
    phone.challenge().await;
    let (url, stream) = daemon.rest().login(json!({})).await;
    phone.scan(&url).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(events.last().unwrap()["code"], "too_many_requests");
    let reason = events.last().unwrap()["reason"].as_str().unwrap();
    assert!(reason.contains("(auth.max_prompts_per_user); possible again at 20"), "{reason}");
    assert_eq!(phone.prompts(), 1);
}
