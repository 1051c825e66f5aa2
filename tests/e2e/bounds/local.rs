//! Bounds of the local sockets.

use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{assert_told_to_wait, reached};
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::soon;

/// What a client hears that asks something only after it was refused.
async fn refused_connection(daemon: &Daemon) -> String {
    let mut beyond = UnixStream::connect(daemon.socket()).await.unwrap();
    soon("a refusal", beyond.readable()).await.unwrap();
    beyond.write_all(b"GET /health HTTP/1.1\r\nhost: portico\r\n\r\n").await.unwrap();
    let mut said = String::new();
    soon("a refusal", beyond.read_to_string(&mut said)).await.unwrap();
    said
}

#[tokio::test]
async fn a_client_that_opens_connections_without_end_is_told_to_wait_and_those_that_are_open_are_served() {
    for (config, limit) in
        [("max_connections = 2", "connections"), ("max_connections_per_peer = 2", "connections_per_peer")]
    {
        let daemon = Daemon::on(&[]).with_config(&format!("[local]\n{config}\n")).start().await;
        let mut held = daemon.websocket().await;
        let idle = UnixStream::connect(daemon.socket()).await.unwrap();
        let said = refused_connection(&daemon).await;
        assert!(said.starts_with("HTTP/1.1 429 ") && said.contains("\r\nretry-after: 5\r\n"), "{said}");
        assert!(said.contains("\"limit_reached\""), "{said}");
        held.data("Auth", json!({ "token": "" })).await;
        drop(idle);
        // The kernel tells the daemon in its own time.
        let free = async { while !held_one_more(&daemon).await {} };
        soon("a place to be free again", free).await;
        // So it is for the next connection.
        let answered = async {
            loop {
                let answer = daemon.rest().get("/metrics").await;
                if answer.status == 200 {
                    return answer.text;
                }
            }
        };
        let metrics = soon("an answer", answered).await;
        let never = format!("portico_limit_reached_total{{limit=\"{limit}\"}} 0");
        assert!(!metrics.lines().any(|line| line == never), "{limit}");
    }
}

async fn held_one_more(daemon: &Daemon) -> bool {
    let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
    let asked = stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await;
    let mut said = String::new();
    asked.is_ok() && stream.read_to_string(&mut said).await.is_ok() && said.starts_with("HTTP/1.0 200")
}

#[tokio::test]
async fn followers_beyond_the_bound_are_told_to_wait_and_those_before_hear_everything() {
    let relay = TestRelay::start().await;
    let config = "[local]\nmax_followers = 2\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let (_, stream) = daemon.rest().key_handshake(json!({})).await;
    let mut follower = daemon.websocket().await;
    follower.subscribe(&stream, 0).await;
    let (_, other) = daemon.rest().key_handshake(json!({})).await;
    follower.subscribe(&other, 0).await;

    let path = format!("/events/{stream}");
    assert_told_to_wait(&daemon.rest().get(&format!("{path}?wait=5")).await, 5);
    assert_told_to_wait(&daemon.rest().with("accept", "text/event-stream").get(&path).await, 5);
    let refused = follower.command("Subscribe", json!({ "stream_id": stream })).await;
    assert_eq!(refused["code"], "limit_reached");
    assert_eq!(daemon.rest().get(&path).await.status, 200, "who only reads does not follow");
    assert_eq!(reached(&daemon, "followers").await, 3.0);
    assert_eq!(daemon.metric("portico_followers").await, 2.0);

    daemon.rest().delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
    assert_eq!(follower.until_ended(&stream).await[0]["code"], "cancelled");
    follower.subscribe(&stream, 0).await;
}

#[tokio::test]
async fn one_client_that_follows_too_much_takes_nothing_from_others() {
    let config = "[local]\nmax_followed_per_connection = 1\n";
    let daemon = Daemon::offline().with_config(config).start().await;
    let (_, stream) = daemon.rest().key_handshake(json!({})).await;
    let (_, other) = daemon.rest().key_handshake(json!({})).await;
    let mut greedy = daemon.websocket().await;
    greedy.subscribe(&stream, 0).await;
    let refused = greedy.command("Subscribe", json!({ "stream_id": other })).await;
    assert_eq!(refused["code"], "limit_reached");
    assert_eq!(reached(&daemon, "followed_per_connection").await, 1.0);
    daemon.websocket().await.subscribe(&other, 0).await;
}

#[tokio::test]
async fn a_websocket_that_is_not_read_is_disconnected_and_counted() {
    let config = "[local]\nwebsocket_queue = 4\n";
    let daemon = Daemon::on(&[]).with_config(config).start().await;
    let mut deaf = daemon.websocket().await;
    let flood = json!({ "id": 1, "cmd": "x".repeat(60_000) }).to_string();
    deaf.send_without_reading(&flood).await;
    assert_eq!(reached(&daemon, "websocket_queue").await, 1.0);
}

#[tokio::test]
async fn what_is_too_large_is_counted_whichever_way_it_comes() {
    let daemon = Daemon::offline().start().await;
    let body = " ".repeat(64 * 1024 + 1);
    assert_eq!(daemon.rest().send(Method::POST, "/login", body).await.status, 413);
    assert_eq!(reached(&daemon, "body_size").await, 1.0);
    let mut socket = daemon.websocket().await;
    socket.send_raw(&"x".repeat(65 * 1024)).await;
    socket.until_closed().await;
    assert_eq!(reached(&daemon, "message_size").await, 1.0);
    let questions = json!(vec![json!({}); 1_001]);
    let answer = daemon.rest().post("/jwt/verify", questions).await;
    assert_eq!(answer.refusal(), (400, "bad_request".into()));
    assert_eq!(reached(&daemon, "batch_size").await, 1.0);
}
