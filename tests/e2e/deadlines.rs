//! Deadlines, on a clock that the test moves: here the daemon runs inside the test.

use std::sync::Arc;
use std::time::Duration;

use portico::app::{self, Daemon};
use portico::clock::{Timestamp, TokioClock};
use portico::config::{self, Overrides};
use portico::http::HandedOver;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::Rest;
use crate::support::socket::Socket;
use crate::support::{now, soon};

/// A daemon whose clock is tokio's.
struct Inside {
    daemon: Daemon,
    folder: TempDir,
}

impl Inside {
    async fn start(relays: &[&TestRelay]) -> Self {
        Self::start_at(now(), tempfile::tempdir().unwrap(), relays).await
    }

    /// Starts on what a former one has left, when its clock shows this second.
    async fn start_at(second: u64, folder: TempDir, relays: &[&TestRelay]) -> Self {
        let at = |name: &str| Some(folder.path().join(name));
        let list: String =
            relays.iter().map(|relay| format!("[[relay]]\nurl = \"{}\"\n", relay.url())).collect();
        std::fs::write(folder.path().join("relays.toml"), list).unwrap();
        std::fs::write(folder.path().join("portico.toml"), "").unwrap();
        let overrides = Overrides {
            config: at("portico.toml"),
            relays: at("relays.toml"),
            socket: at("portico.sock"),
            data_dir: at("data"),
            key_file: at("service.key"),
            ..Overrides::default()
        };
        let config = config::load(&overrides).unwrap();
        let clock = TokioClock::starting_at(Timestamp::from_secs(second));
        let daemon = app::start(&config, HandedOver::default(), Arc::new(clock)).await.unwrap();
        Self { daemon, folder }
    }

    async fn stop(self) -> TempDir {
        assert!(self.daemon.stop(std::future::pending()).await);
        self.folder
    }

    fn rest(&self) -> Rest {
        Rest::unix(self.folder.path().join("portico.sock"))
    }

    /// The one event that a stream ends with.
    async fn end_of(&self, stream: &str) -> Value {
        let mut socket = Socket::unix(&self.folder.path().join("portico.sock")).await;
        socket.subscribe(stream, 0).await;
        let [event] = <[Value; 1]>::try_from(socket.until_ended(stream).await).unwrap();
        event
    }
}

/// Time jumps ahead, and then goes on as usual: what is due happens, what waits for the disk may.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

const MINUTES: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_handshake_and_a_challenge_end_in_time_on_a_silent_network() {
    let relay = TestRelay::start().await;
    let inside = Inside::start(&[&relay]).await;
    soon("a relay", inside.daemon.ready()).await;
    let (_, handshake) = inside.rest().key_handshake(json!({})).await;
    let challenge = inside.rest().authenticate(Phone::new().key()).await;
    pass(4 * MINUTES).await;
    for stream in [&handshake, &challenge] {
        assert!(inside.rest().events(stream).await.is_empty(), "it is not yet time");
    }
    pass(MINUTES).await;
    for stream in [&handshake, &challenge] {
        let event = inside.end_of(stream).await;
        assert_eq!((&event["type"], &event["code"]), (&json!("error"), &json!("timed_out")));
    }
}

#[tokio::test]
async fn a_request_says_that_there_was_no_relay_if_there_never_was_one() {
    let mut relay = TestRelay::start().await;
    relay.stop();
    let inside = Inside::start(&[&relay]).await;
    let (_, handshake) = inside.rest().key_handshake(json!({})).await;
    let challenge = inside.rest().authenticate(Phone::new().key()).await;
    pass(5 * MINUTES).await;
    for stream in [&handshake, &challenge] {
        assert_eq!(inside.end_of(stream).await["code"], "no_relay");
    }
}

#[tokio::test]
async fn a_request_whose_time_ran_out_while_the_daemon_was_down_ends_when_it_is_back() {
    let relay = TestRelay::start().await;
    let inside = Inside::start(&[&relay]).await;
    soon("a relay", inside.daemon.ready()).await;
    let challenge = inside.rest().authenticate(Phone::new().key()).await;
    let (_, handshake) = inside.rest().key_handshake(json!({})).await;
    let folder = inside.stop().await;
    let inside = Inside::start_at(now() + 3600, folder, &[&relay]).await;
    for stream in [&challenge, &handshake] {
        assert_eq!(inside.end_of(stream).await["code"], "timed_out");
    }
}

#[tokio::test]
async fn a_static_url_has_no_deadline_and_a_login_on_it_has() {
    let relay = TestRelay::start().await;
    let inside = Inside::start(&[&relay]).await;
    soon("a relay", inside.daemon.ready()).await;
    let (url, stream) = inside.rest().login(json!({ "static_token": "wall" })).await;
    let mut phone = Phone::new();
    phone.scan(&url).await;
    phone.challenge().await;
    pass(5 * MINUTES).await;
    let mut socket = Socket::unix(&inside.folder.path().join("portico.sock")).await;
    socket.subscribe(&stream, 1).await;
    let told = socket.notification(&stream).await;
    assert_eq!((&told["code"], &told["user_key"]), (&json!("timed_out"), &json!(phone.key())));
    pass(24 * 60 * MINUTES).await;
    let (same, _) = inside.rest().login(json!({ "static_token": "wall" })).await;
    assert_eq!(same, url);
}

#[tokio::test]
async fn a_client_that_sends_its_head_byte_by_byte_is_not_waited_for() {
    let inside = Inside::start(&[]).await;
    let mut slow = UnixStream::connect(inside.folder.path().join("portico.sock")).await.unwrap();
    slow.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    assert_eq!(inside.rest().get("/health").await.text, "OK");
    pass(MINUTES).await;
    let mut answer = Vec::new();
    // Closed with an answer (408) or without one.
    let _ = soon("the end of the connection", slow.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_client_that_keeps_the_body_to_itself_is_not_waited_for() {
    let inside = Inside::start(&[]).await;
    let mut slow = UnixStream::connect(inside.folder.path().join("portico.sock")).await.unwrap();
    slow.write_all(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{").await.unwrap();
    assert_eq!(inside.rest().get("/health").await.text, "OK");
    pass(MINUTES).await;
    let mut answer = [0; 12];
    soon("an answer", slow.read_exact(&mut answer)).await.unwrap();
    assert!(matches!(&answer[9..], b"408" | b"503"), "{}", String::from_utf8_lossy(&answer));
}
