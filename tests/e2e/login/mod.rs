//! Logins as they should be, over every way there is.

mod answers;
mod crowd;
mod subkeys;
mod urls;
mod websocket;

use serde_json::{Value, json};

use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::{Rest, refused};

/// The whole of what the reference's guide does over REST.
async fn log_in_by_key_handshake(daemon: &Daemon, rest: &Rest) {
    let (url, stream) = rest.key_handshake(json!({})).await;
    let mut phone = Phone::new();
    phone.scan_preferring(&url, &["wss://relay.example"]).await;
    let scanned = daemon.ended(&stream).await;
    assert_eq!(types(&scanned), ["key_handshake"]);
    assert_eq!(scanned[0]["preferred_relays"], json!(["wss://relay.example"]));
    let user = scanned[0]["main_key"].as_str().unwrap();
    assert_eq!(user, phone.key().to_hex());

    let stream = rest.authenticate(user).await;
    let asked = phone.challenge().await;
    let token = phone.token_for(&asked.event.pubkey);
    phone.approve_with(&asked, token.clone()).await;
    daemon.ended(&stream).await;
    let events = rest.events(&stream).await;
    assert_eq!(events.len(), 1);
    assert_approved(&events[0], &phone, &token, &asked.challenge.challenge);

    let told = rest.verify(user, &token).await.data();
    assert_eq!(told["target_key"], daemon.public_key().await);
}

fn assert_approved(event: &Value, phone: &Phone, token: &str, challenge: &str) {
    let user = phone.key().to_hex();
    assert_eq!(event["type"], "authenticate_key");
    assert_eq!(event["user_key"], user);
    assert_eq!(event["recipient"], user);
    assert_eq!(event["challenge"], challenge);
    assert_eq!(
        event["status"],
        json!({ "status": "approved", "granted_permissions": [], "session_token": token })
    );
    assert_eq!(event["session"]["issuer"], user);
    assert_eq!(event["session"]["subject"], user);
}

/// The events by their type alone.
pub(crate) fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_program_written_for_the_reference_logs_a_user_in_over_the_unix_socket() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    log_in_by_key_handshake(&daemon, &daemon.rest()).await;
}

#[tokio::test]
async fn a_program_written_for_the_reference_logs_a_user_in_over_tcp() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_tcp().start_subscribed(&[&relay]).await;
    log_in_by_key_handshake(&daemon, &daemon.rest_over_tcp()).await;
}

#[tokio::test]
async fn one_call_logs_a_user_in() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["key_handshake", "authenticate_key"]);
    assert_eq!(events[1]["status"]["status"], "approved");
    assert_eq!(events[1]["session"]["audience"], daemon.public_key().await);
}

#[tokio::test]
async fn a_user_who_declines_is_not_logged_in() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.decline(&asked, Some("not now")).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["key_handshake", "authenticate_key"]);
    assert_eq!(events[1]["status"], json!({ "status": "declined", "reason": "not now" }));
    assert!(events[1].get("session").is_none());
}

#[tokio::test]
async fn a_stream_that_was_never_opened_is_not_found() {
    let daemon = Daemon::start(&[]).await;
    for stream in ["00000000-0000-0000-0000-000000000000", "nonsense"] {
        let answer = daemon.rest().get(&format!("/events/{stream}")).await;
        assert_eq!(answer.refusal(), refused(404, "no_such_stream"), "{stream}");
    }
    let answer = daemon.rest().delete("/key-handshake/nonsense", json!({})).await;
    assert_eq!(answer.refusal(), refused(404, "no_such_stream"));
}
