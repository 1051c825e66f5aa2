//! The same login as over REST, by a program written for the reference's WebSocket API.

use serde_json::{Value, json};

use super::assert_approved;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::socket::Socket;

async fn log_in(mut socket: Socket) {
    let made = socket.data("NewKeyHandshakeUrl", json!({ "static_token": null, "no_request": null })).await;
    assert_eq!(made["type"], "key_handshake_url");
    let mut phone = Phone::new();
    phone.scan(made["url"].as_str().unwrap()).await;
    let scanned = socket.notification(made["stream_id"].as_str().unwrap()).await;
    assert_eq!((&scanned["type"], &scanned["preferred_relays"]), (&json!("key_handshake"), &json!([])));
    assert_eq!(scanned["main_key"], phone.key().to_hex());

    let command =
        socket.send("AuthenticateKey", json!({ "main_key": scanned["main_key"], "subkeys": [] })).await;
    let asked = phone.challenge().await;
    let token = phone.token_for(&asked.event.pubkey);
    phone.approve_with(&asked, token.clone()).await;
    let answer = socket.answer(&command).await;
    assert_eq!(answer["data"]["type"], "auth_response");
    let mut event: Value = answer["data"]["event"].clone();
    assert!(event.get("type").is_none());
    event["type"] = "authenticate_key".into();
    assert_approved(&event, &phone, &token, &asked.challenge.challenge);
}

#[tokio::test]
async fn a_user_logs_in_over_a_websocket_on_the_unix_socket_without_a_token() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    log_in(daemon.websocket().await).await;
}

#[tokio::test]
async fn a_user_logs_in_over_a_websocket_on_tcp() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_tcp().start_subscribed(&[&relay]).await;
    let mut socket = daemon.websocket_over_tcp().await;
    let told = socket.data("Auth", json!({ "token": daemon.api_token() })).await;
    assert_eq!(told["type"], "auth_success");
    log_in(socket).await;
}

#[tokio::test]
async fn commands_answer_as_they_finish_and_not_in_order() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut socket = daemon.websocket().await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    let slow = socket.send("AuthenticateKey", json!({ "main_key": phone.key(), "subkeys": [] })).await;
    let asked = phone.challenge().await;
    let issued = socket.data("IssueJwt", json!({ "target_key": phone.key(), "duration_hours": 1 })).await;
    assert_eq!(issued["type"], "issue_jwt");
    phone.decline(&asked, None).await;
    let answer = socket.answer(&slow).await;
    assert_eq!(answer["data"]["event"]["status"], json!({ "status": "declined", "reason": null }));
}

#[tokio::test]
async fn a_client_that_lost_its_connection_resumes_where_it_was() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (url, stream) = daemon.rest().login(json!({ "static_token": "wall" })).await;
    let mut first = daemon.websocket().await;
    first.subscribe(&stream, 0).await;
    let mut phones = [Phone::new(), Phone::new()];
    for phone in &mut phones {
        phone.scan(&url).await;
        let asked = phone.challenge().await;
        phone.approve(&asked).await;
        first.notification(&stream).await;
        first.notification(&stream).await;
    }
    drop(first);

    let mut resumed = daemon.websocket().await;
    resumed.subscribe(&stream, 3).await;
    let told = resumed.notification(&stream).await;
    assert_eq!((&told["index"], &told["user_key"]), (&json!(4), &json!(phones[1].key())));
    let unsubscribed = resumed.data("Unsubscribe", json!({ "stream_id": stream })).await;
    assert_eq!(unsubscribed["type"], "unsubscribe");
    let again = resumed.command("Unsubscribe", json!({ "stream_id": stream })).await;
    assert_eq!(again["code"], "no_such_stream");
}
