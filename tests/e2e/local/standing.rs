//! A connection over TCP keeps its place only as long as the token that it has shown is good.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::table::token;
use crate::support::daemon::Daemon;
use crate::support::rest::{Rest, refused};
use crate::support::soon;

/// A connection that is kept alive.
struct Held(TcpStream);

impl Held {
    async fn open(daemon: &Daemon) -> Self {
        Self(TcpStream::connect(daemon.address()).await.unwrap())
    }

    /// The head of the answer to a request with this token.
    async fn ask(&mut self, path: &str, token: &str) -> String {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut said = vec![0; 8192];
        let read = soon("an answer", self.0.read(&mut said)).await.unwrap();
        String::from_utf8_lossy(&said[..read]).to_lowercase()
    }

    /// What else the daemon says before it hangs up.
    async fn until_it_hangs_up(mut self) -> String {
        let mut said = String::new();
        // A connection that the daemon resets is as closed as any other.
        let _ = soon("the daemon to hang up", self.0.read_to_string(&mut said)).await;
        said
    }
}

/// A token that expires very soon. Nobody waits for a time: its end is what is waited for.
async fn brief_token(daemon: &Daemon) -> String {
    let new = json!({ "name": "brief", "may": ["all"], "expires_in": 2 });
    daemon.rest().post("/tokens", new).await.data()["token"].as_str().unwrap().to_owned()
}

async fn revoke(daemon: &Daemon, name: &str) {
    daemon.rest().delete(&format!("/tokens/{name}"), json!({})).await.data();
}

/// The threat: who held a token fills the places of TCP with it, and keeps them when it is taken away.
#[tokio::test]
async fn the_holder_of_a_revoked_token_cannot_keep_the_app_out_of_tcp() {
    let daemon = Daemon::offline().with_config("[local]\nmax_connections = 4\n").with_tcp().start().await;
    let gone = token(&daemon, "gone", &["check"]).await;
    let mut crowd = Vec::new();
    for _ in 0..4 {
        let mut held = Held::open(&daemon).await;
        assert!(held.ask("/info", &gone).await.starts_with("http/1.1 200 "));
        crowd.push(held);
    }
    assert_eq!(daemon.rest_over_tcp().get("/info").await.status, 429, "every place is taken");
    revoke(&daemon, "gone").await;
    for held in crowd {
        assert_eq!(held.until_it_hangs_up().await, "");
    }
    // A place is free once the daemon has seen its client leave.
    let let_in = async { while daemon.rest_over_tcp().get("/info").await.status != 200 {} };
    soon("a place for the app", let_in).await;
}

#[tokio::test]
async fn an_idle_connection_ends_when_its_token_expires() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let brief = brief_token(&daemon).await;
    let mut held = Held::open(&daemon).await;
    assert!(held.ask("/info", &brief).await.starts_with("http/1.1 200 "));
    assert_eq!(held.until_it_hangs_up().await, "");
}

/// A public document needs no token, so asking for one must not keep a place either.
#[tokio::test]
async fn the_holder_of_a_revoked_token_cannot_live_on_by_asking_what_everybody_may() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let gone = token(&daemon, "gone", &["check"]).await;
    let mut held = Held::open(&daemon).await;
    assert!(held.ask("/info", &gone).await.starts_with("http/1.1 200 "));
    assert!(held.ask("/health", &gone).await.starts_with("http/1.1 200 "));
    revoke(&daemon, "gone").await;
    assert_eq!(held.until_it_hangs_up().await, "");
}

#[tokio::test]
async fn a_connection_whose_token_is_refused_is_closed_with_that_answer() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let good = token(&daemon, "good", &["check"]).await;
    for wrong in ["wrong".to_owned(), good.replace(|c: char| c.is_ascii_digit(), "0"), String::new()] {
        let mut held = Held::open(&daemon).await;
        assert!(held.ask("/info", &good).await.starts_with("http/1.1 200 "));
        let refusal = held.ask("/info", &wrong).await;
        assert!(refusal.starts_with("http/1.1 401 "), "{refusal}");
        assert!(refusal.contains("\r\nconnection: close\r\n"), "{refusal}");
        held.until_it_hangs_up().await;
    }
}

#[tokio::test]
async fn a_connection_that_goes_on_with_another_token_stays_when_the_first_is_revoked() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let (first, second) =
        (token(&daemon, "first", &["check"]).await, token(&daemon, "second", &["check"]).await);
    let mut held = Held::open(&daemon).await;
    assert!(held.ask("/info", &first).await.starts_with("http/1.1 200 "));
    assert!(held.ask("/info", &second).await.starts_with("http/1.1 200 "));
    revoke(&daemon, "first").await;
    assert!(held.ask("/info", &second).await.starts_with("http/1.1 200 "));
    revoke(&daemon, "second").await;
    assert_eq!(held.until_it_hangs_up().await, "");
}

#[tokio::test]
async fn server_sent_events_and_a_long_poll_end_when_their_token_expires() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let (_, stream) = daemon.rest().key_handshake(json!({})).await;
    let rest = Rest::tcp(daemon.address(), brief_token(&daemon).await);
    let (events, poll) =
        (rest.clone().with("accept", "text/event-stream"), format!("/events/{stream}?wait=60"));
    let (path, ends) = (format!("/events/{stream}"), "the end of the events and of the poll");
    let (events, poll) = soon(ends, async { tokio::join!(events.get(&path), rest.get(&poll)) }).await;
    assert_eq!((events.status.as_u16(), events.text.as_str()), (200, ""));
    assert_eq!(poll.refusal(), refused(401, "unauthorized"));
}

/// The threat: somebody tries tokens, and nobody sees it.
#[tokio::test]
async fn a_flood_of_wrong_tokens_is_counted_and_named_in_the_log_once_with_its_peer() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let guess = Rest::tcp(daemon.address(), format!("portico_0123456789abcdef_{}", "5e".repeat(32)));
    for _ in 0..50 {
        assert_eq!(guess.get("/info").await.status, 401);
    }
    let mut socket = daemon.websocket_over_tcp().await;
    assert_eq!(socket.command("Auth", json!({ "token": "wrong" })).await["code"], "unauthorized");
    let counted = daemon.metric("portico_callers_refused_total{reason=\"wrong_token\"}").await;
    assert_eq!(counted, 51.0);
    let log = daemon.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("refused a caller")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("\"peer\":\"tcp 127.0.0.1\"") && told[0].contains("wrong_token"), "{told:?}");
    assert!(!log.contains("5e5e5e"), "no guess is repeated");
}
