//! Clients of the WebSocket API, which take every notification for what they asked about.

use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::socket::Socket;

/// Everything that a client is told about a stream until the daemon stops.
async fn told_of(stream: &str, socket: Socket, mut daemon: Daemon) -> Vec<Value> {
    let (said, stopped) = tokio::join!(socket.until_closed(), daemon.terminate());
    assert!(stopped.success());
    said.0.into_iter().filter(|message| message["id"] == stream).collect()
}

#[tokio::test]
async fn a_client_that_did_not_subscribe_hears_of_scans_and_not_how_its_stream_ended() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut socket = daemon.websocket().await;
    let made = socket.data("NewKeyHandshakeUrl", json!({ "static_token": "wall", "no_request": null })).await;
    let stream = made["stream_id"].as_str().unwrap().to_owned();
    let mut phone = Phone::new();
    phone.scan(made["url"].as_str().unwrap()).await;
    daemon.events(&stream, 1).await;
    daemon.rest().delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
    let events = daemon.ended(&stream).await;
    assert_eq!((&events[1]["type"], &events[1]["code"]), (&json!("error"), &json!("cancelled")));
    let told = told_of(&stream, socket, daemon).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["type"], &told[0]["data"]["type"]),
        (&json!("notification"), &json!("key_handshake"))
    );
}

#[tokio::test]
async fn a_client_hears_nothing_of_a_stream_that_gives_way_to_newer_ones_on_its_token() {
    let config = "[auth]\nmax_streams_per_token = 2\n";
    let daemon = Daemon::offline().with_config(config).start().await;
    let mut socket = daemon.websocket().await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let made = socket.data("NewKeyHandshakeUrl", json!({ "static_token": "wall" })).await;
        streams.push(made["stream_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(daemon.ended(&streams[0]).await[0]["code"], "cancelled");
    assert_eq!(told_of(&streams[0], socket, daemon).await, [json!(null); 0]);
}

#[tokio::test]
async fn a_client_that_subscribes_to_its_own_stream_hears_everything() {
    let daemon = Daemon::offline().start().await;
    let mut socket = daemon.websocket().await;
    let made = socket.data("NewKeyHandshakeUrl", json!({})).await;
    let stream = made["stream_id"].as_str().unwrap();
    socket.subscribe(stream, 0).await;
    daemon.rest().delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
    let told = socket.until_ended(stream).await;
    assert_eq!((told.len(), &told[0]["code"]), (1, &json!("cancelled")));
}

#[tokio::test]
async fn the_published_demo_starts() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let version = daemon.rest_over_tcp().without("authorization").get("/version").await.json();
    assert!(version["version"].is_string() && version["git_commit"].is_string());
    let mut socket = daemon.websocket_over_tcp().await;
    socket.data("Auth", json!({ "token": daemon.api_token() })).await;
    // As the JVM clients write a command without parameters, and the TypeScript SDK.
    for (id, params) in [("jvm", ",\n\"params\": null\n"), ("ts", "")] {
        let command =
            format!("{{\n\"id\": \"{id}\",\n\"cmd\": \"ListenClosedRecurringPayment\"{params}}}\n\n");
        socket.send_raw(&command).await;
        let answer = socket.answer(id).await;
        assert_eq!((&answer["type"], &answer["id"]), (&json!("success"), &json!(id)));
        assert_eq!(answer["data"]["type"], "listen_closed_recurring_payment");
        assert!(answer["data"]["stream_id"].is_string(), "{answer}");
    }
    let unknown = socket.command("RequestSinglePayment", json!({})).await;
    assert_eq!(unknown["code"], "unsupported_command");
}
