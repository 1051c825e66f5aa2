//! Bounds of the local sockets.

use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::{assert_told_to_wait, reached};
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::soon;

/// The answer to a client that sends its request only after it was refused.
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
async fn strangers_on_tcp_take_no_place_from_the_app() {
    let daemon = Daemon::offline().with_config("[local]\nmax_strangers = 3\n").with_tcp().start().await;
    let mut known = TcpStream::connect(daemon.address()).await.unwrap();
    let request = format!(
        "GET /info HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        daemon.api_token()
    );
    assert!(first_line(&mut known, &request).await.starts_with("HTTP/1.1 200 "));
    let mut socket = daemon.websocket_over_tcp().await;
    socket.data("Auth", json!({ "token": daemon.api_token() })).await;

    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(TcpStream::connect(daemon.address()).await.unwrap());
        // So that it is known to be accepted.
        assert_eq!(daemon.rest_over_tcp().get("/info").await.status, 200);
    }
    for stream in &mut idle[..17] {
        let mut said = String::new();
        soon("the daemon to hang up", stream.read_to_string(&mut said)).await.unwrap();
        assert_eq!(said, "");
    }
    assert!(
        first_line(&mut idle[19], "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.contains(" 200 ")
    );
    assert!(reached(&daemon, "strangers").await >= 17.0);
    assert!(first_line(&mut known, &request).await.starts_with("HTTP/1.1 200 "), "who is known may stay");
    socket.data("Auth", json!({ "token": daemon.api_token() })).await;
}

#[tokio::test]
async fn each_socket_has_places_of_its_own() {
    let config = "[local]\nmax_connections = 2\n";
    let daemon = Daemon::offline().with_config(config).with_tcp().start().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut socket = daemon.websocket_over_tcp().await;
        socket.data("Auth", json!({ "token": daemon.api_token() })).await;
        held.push(socket);
    }
    assert_eq!(daemon.rest_over_tcp().get("/info").await.status, 429);
    assert_eq!(daemon.rest().get("/info").await.status, 200);
}

#[tokio::test]
async fn a_crowd_on_tcp_with_the_token_cannot_take_the_files_of_the_unix_socket() {
    let daemon = Daemon::on(&[]).with_room_for(300).with_tcp().start().await;
    let request = format!(
        "GET /info HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        daemon.api_token()
    );
    let mut crowd = Vec::new();
    let mut served = 0;
    for _ in 0..320 {
        let mut stream = TcpStream::connect(daemon.address()).await.unwrap();
        let mut said = [0; 12];
        let asked = stream.write_all(request.as_bytes()).await;
        let read = soon("an answer, or none", stream.read(&mut said)).await;
        served += usize::from(asked.is_ok() && read.is_ok() && said.starts_with(b"HTTP/1.1 200"));
        crowd.push(stream);
    }
    assert!((8..100).contains(&served), "{served}");
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(daemon.websocket().await);
        assert_eq!(daemon.rest().get("/info").await.status, 200);
    }
    let log = daemon.log();
    assert!(log.contains("fewer connections are accepted") && log.contains("\"tcp_connections\":"), "{log}");
    assert!(!log.contains("cannot accept a connection"), "{log}");
    drop(crowd);
    let answered = async {
        let ask = async || daemon.rest_over_tcp().try_send(Method::GET, "/info", "").await;
        while !ask().await.is_ok_and(|answer| answer.status == 200) {}
    };
    soon("places on TCP to be free again", answered).await;
}

/// Sends a request, and reads the first line of the answer and the rest of its head.
async fn first_line(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = vec![0; 8192];
    let read = soon("an answer", stream.read(&mut said)).await.unwrap();
    String::from_utf8_lossy(&said[..read]).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_in_the_envelope_counted_and_its_sender_gets_to_read_why() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let fields: String = (0..120).map(|at| format!("x-{at}: y\r\n")).collect();
    let many: String = (0..5_000).map(|at| format!("x-{at}: y\r\n")).collect();
    let large = format!("cookie: {}\r\n", "x".repeat(48 * 1024));
    let huge = format!("cookie: {}\r\n", "x".repeat(4 * 1024 * 1024));
    let mut refused = 0.0;
    for more in [fields, many, large, huge] {
        let request =
            format!("POST /login HTTP/1.1\r\nhost: localhost\r\n{more}content-length: 2\r\n\r\n{{}}");
        let over_unix = UnixStream::connect(daemon.socket()).await.unwrap();
        let over_tcp = TcpStream::connect(daemon.address()).await.unwrap();
        for said in [said_to(over_unix, &request).await, said_to(over_tcp, &request).await] {
            let (head, body) = said.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
            assert!(
                head.contains("\r\nx-request-id: ") && head.contains("\r\ncache-control: no-store"),
                "{head}"
            );
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!("headers_too_large")));
            refused += 1.0;
        }
    }
    assert_eq!(reached(&daemon, "head_size").await, refused);
    let counted = |method, route| {
        format!("portico_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"431\"}}")
    };
    // Some are refused before they are read to their end, so nobody knows what they ask.
    let unread = daemon.metric(&counted("other", "none")).await;
    assert_eq!(unread + daemon.metric(&counted("POST", "/login")).await, refused);
    let over_unix = UnixStream::connect(daemon.socket()).await.unwrap();
    let nonsense = said_to(over_unix, "\u{16}\u{3}\u{1} hello\r\n\r\n").await;
    assert!(nonsense.starts_with("HTTP/1.1 400 ") && nonsense.contains("\"bad_request\""), "{nonsense}");
    let fits = format!("cookie: {}\r\n", "x".repeat(30 * 1024));
    let request = format!("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fits}\r\n");
    let over_unix = UnixStream::connect(daemon.socket()).await.unwrap();
    assert!(said_to(over_unix, &request).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_head_has_one_bound_however_it_arrives_and_whatever_makes_it_large() {
    let daemon = Daemon::offline().start().await;
    for (size, status) in [(1_000, 200), (32 * 1024, 200), (32 * 1024 + 1, 431), (49_000, 431), (90_000, 431)]
    {
        for (start, end) in [
            ("GET /health HTTP/1.1\r\nhost: portico\r\nconnection: close\r\ncookie: ", "\r\n\r\n"),
            ("GET /health?", " HTTP/1.1\r\nhost: portico\r\nconnection: close\r\n\r\n"),
        ] {
            let request = format!("{start}{}{end}", "x".repeat(size - start.len() - end.len()));
            for piece in [request.len(), 4_000] {
                let stream = UnixStream::connect(daemon.socket()).await.unwrap();
                let said = said_to_pieces(stream, request.as_bytes().chunks(piece)).await;
                let expected = format!("HTTP/1.1 {status} ");
                assert!(said.starts_with(&expected), "{start}: {size} bytes, {piece} at once: {said}");
                assert!(said.contains("connection: close"), "{said}");
                assert_eq!(said.contains("\"headers_too_large\""), status == 431, "{said}");
            }
        }
    }
}

/// Everything that the daemon sends to a client that tries to send all of this, until the daemon closes the connection.
async fn said_to(stream: impl AsyncRead + AsyncWrite, request: &str) -> String {
    said_to_pieces(stream, std::iter::once(request.as_bytes())).await
}

/// The same, where what is sent comes in pieces.
async fn said_to_pieces<'a>(
    stream: impl AsyncRead + AsyncWrite,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> String {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let mut said = String::new();
    let sending = async {
        for piece in pieces {
            let _ = writing.write_all(piece).await;
            tokio::task::yield_now().await;
        }
    };
    let hearing = soon("the end of the answer", reading.read_to_string(&mut said));
    let ((), heard) = tokio::join!(sending, hearing);
    heard.unwrap();
    said
}

#[tokio::test]
async fn asking_whether_it_is_ready_a_thousand_times_does_not_wear_out_the_disk() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let log = daemon.database().with_extension("db-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    let started = std::time::Instant::now();
    assert_eq!(daemon.rest().get("/ready").await.status, 200);
    let one = length();
    for _ in 0..500 {
        assert_eq!(daemon.rest().get("/ready").await.status, 200);
    }
    // Each write is at least a page of the log.
    let written = (length() - one) / 4096;
    assert!(written <= 20 + 4 * started.elapsed().as_secs(), "{written} pages");
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
