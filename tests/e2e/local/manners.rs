//! Callers that ask for what is not there, send nonsense, send too much, or do not listen.

use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;
use crate::support::soon;

#[tokio::test]
async fn every_mistake_comes_back_in_the_envelope() {
    let daemon = Daemon::offline().start().await;
    let rest = daemon.rest();
    let key = daemon.public_key().await;
    for (method, path, body, status, code) in [
        (Method::GET, "/", "", 404, "not_found"),
        (Method::POST, "/payments", "{}", 404, "not_found"),
        (Method::POST, "/invoices/x", "{}", 404, "not_found"),
        (Method::GET, "/login", "", 405, "method_not_allowed"),
        (Method::PUT, "/jwt/verify", "{}", 405, "method_not_allowed"),
        (Method::POST, "/health", "", 405, "method_not_allowed"),
        (Method::DELETE, "/info", "", 405, "method_not_allowed"),
        (Method::GET, "/ws", "", 426, "upgrade_required"),
        (Method::POST, "/jwt/verify", "{\"pubkey\":", 400, "bad_request"),
        (Method::POST, "/jwt/verify", "7", 400, "bad_request"),
        (Method::POST, "/jwt/issue", "[]", 400, "bad_request"),
        (Method::POST, "/login", "[\"on the wall\"]", 400, "bad_request"),
        (Method::POST, "/login", "{\"statc_token\":\"on the wall\"}", 400, "bad_request"),
        (Method::POST, "/webhooks/drop", "", 400, "bad_request"),
        (Method::POST, "/webhooks/drop", "{\"stream\":\"all\"}", 400, "bad_request"),
        (Method::POST, "/jwt/verify", "{}", 400, "bad_request"),
        (Method::POST, "/jwt/verify", "{\"pubkey\":7,\"token\":\"\"}", 400, "bad_request"),
        (Method::POST, "/jwt/issue", "{\"duration_hours\":1}", 400, "bad_request"),
        (Method::POST, "/jwt/issue", "{\"target_key\":\"00\",\"duration_hours\":1}", 400, "bad_request"),
        (Method::POST, "/authenticate-key", "{}", 400, "bad_request"),
        (Method::POST, "/authenticate-key", "{\"main_key\":\"npub1x\",\"subkeys\":[]}", 400, "bad_request"),
        (Method::POST, "/login", "\u{0}", 400, "bad_request"),
        (Method::POST, "/login", "{\"static_token\":\"\\ud800\"}", 400, "bad_request"),
        (Method::GET, "/profile/nobody", "", 400, "bad_request"),
        (Method::GET, "/nip05/a@b@c", "", 400, "bad_request"),
        (Method::POST, "/relays", "{}", 400, "bad_request"),
    ] {
        let answer = rest.send(method.clone(), path, body).await;
        assert_eq!(answer.refusal(), refused(status, code), "{method} {path} {body:?}");
    }
    let stream = rest.authenticate(&key).await;
    let answer = rest.get(&format!("/events/{stream}?after=minus")).await;
    assert_eq!(answer.refusal(), refused(400, "bad_request"));
    assert_eq!(answer.json()["error"], "query: after: invalid digit found in string");
    for empty in ["?after=", "?wait=", "?after=&wait="] {
        rest.get(&format!("/events/{stream}{empty}")).await.data();
    }
    let off_the_curve = format!("{{\"main_key\":\"{}\"}}", "f".repeat(64));
    let answer = rest.send(Method::POST, "/authenticate-key", off_the_curve).await;
    assert_eq!(answer.refusal(), refused(400, "bad_request"));
    let nine: Vec<String> = vec![key.clone(); 9];
    let answer = rest.post("/authenticate-key", json!({ "main_key": key, "subkeys": nine })).await;
    assert_eq!(answer.refusal(), refused(400, "bad_request"));
}

#[tokio::test]
async fn a_parameter_that_a_route_does_not_have_is_named() {
    let daemon = Daemon::offline().start().await;
    let rest = daemon.rest();
    let (_, stream) = rest.key_handshake(json!({})).await;
    for (method, path, name) in [
        (Method::GET, format!("/events/{stream}?after=0&wiat=30"), "\"wiat\""),
        (Method::GET, format!("/events/{stream}?After=0"), "\"After\""),
        (Method::HEAD, "/info?x".into(), ""),
        (Method::GET, "/info?x".into(), "\"x\""),
        (Method::GET, "/info?=1".into(), "\"\""),
        (Method::POST, "/login?static_token=wall".into(), "\"static_token\""),
        (Method::GET, "/webhooks?stream=x".into(), "\"stream\""),
        (Method::GET, "/ws?token=x".into(), "\"token\""),
        (Method::GET, "/info?%1b%5b2J%22=x".into(), r#""\u{1b}[2J\"""#),
    ] {
        let answer = rest.send(method.clone(), &path, "").await;
        assert_eq!(answer.status.as_u16(), 400, "{method} {path}");
        if method != Method::HEAD {
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.starts_with(&format!("query: unknown parameter {name}")), "{path}: {error}");
        }
    }
    for path in [format!("/events/{stream}?after=0&wait=0"), "/info?".into(), "/version?cache=buster".into()]
    {
        assert_eq!(rest.get(&path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_request_names_its_host_once_unless_it_is_of_before_http_1_1() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let tcp = daemon.address();
    for (version, hosts, status) in [
        ("1.1", "", 400),
        ("1.1", "host: localhost\r\nHost: localhost\r\n", 400),
        ("1.1", "host: local host\r\n", 400),
        ("1.1", "host: localhost/x\r\n", 400),
        ("1.1", "host: localhost\r\n", 200),
        ("1.0", "", 200),
        ("1.0", "host: localhost\r\nhost: localhost\r\n", 400),
    ] {
        let head = format!("GET /health HTTP/{version}\r\n{hosts}connection: close\r\n\r\n");
        let over_unix = UnixStream::connect(daemon.socket()).await.unwrap();
        let over_tcp = tokio::net::TcpStream::connect(tcp).await.unwrap();
        for said in [heard(over_unix, &head).await, heard(over_tcp, &head).await] {
            assert!(said.starts_with(&format!("HTTP/{version} {status} ")), "{head:?}: {said}");
        }
    }
}

/// Everything that the daemon sends to a client after this request, until it closes the connection.
async fn heard(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    soon("the end of the answer", stream.read_to_string(&mut said)).await.unwrap();
    said
}

#[tokio::test]
async fn what_a_route_speaks_is_said_to_those_who_speak_something_else() {
    let daemon = Daemon::offline().start().await;
    let answer = daemon.rest().get("/ws").await;
    assert_eq!(answer.refusal(), refused(426, "upgrade_required"));
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("connection"), Some("upgrade"));
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    let wrong = daemon.rest().send(Method::PUT, "/login", "").await;
    assert_eq!(wrong.header("allow"), Some("POST"));
}

#[tokio::test]
async fn events_are_sent_as_they_come_however_the_media_type_is_spelt() {
    let daemon = Daemon::offline().start().await;
    let rest = daemon.rest();
    let (_, stream) = rest.key_handshake(json!({})).await;
    rest.delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
    let path = format!("/events/{stream}?after=0");
    for (accept, id) in [("text/event-stream", ""), ("Text/Event-Stream; q=0.9, */*;q=0.1", " ")] {
        let answer = rest.clone().with("accept", accept).with("last-event-id", id).get(&path).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{accept}");
        assert_eq!(answer.header("x-accel-buffering"), Some("no"), "nginx passes events on at once");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("vary").unwrap().contains("accept"));
        assert!(answer.text.contains("\"cancelled\""), "{}", answer.text);
    }
    for accept in
        ["*/*", "application/json", "application/json, text/event-stream;q=0.5", "text/event-stream;q=0"]
    {
        let answer = rest.clone().with("accept", accept).get(&path).await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{accept}");
        assert!(answer.header("vary").unwrap().contains("accept"));
    }
    let behind = rest.clone().with("accept", "text/event-stream").with("last-event-id", "1");
    assert_eq!(behind.get(&path).await.status, 204);
    let misplaced = behind.with("last-event-id", "x").get(&path).await;
    assert_eq!(misplaced.refusal(), refused(400, "bad_request"));
}

#[tokio::test]
async fn a_client_that_sends_the_body_after_the_head_gets_to_read_the_answer_whoever_needs_that_body() {
    let daemon = Daemon::on(&[]).start().await;
    for (request, status) in
        [("POST /nope", 404), ("POST /health", 405), ("GET /info", 200), ("DELETE /key-handshake/x", 404)]
    {
        let mut client = UnixStream::connect(daemon.socket()).await.unwrap();
        let head = "HTTP/1.1\r\nhost: portico\r\nconnection: close\r\ncontent-length: 2\r\n\r\n";
        client.write_all(format!("{request} {head}").as_bytes()).await.unwrap();
        for _ in 0..20 {
            daemon.rest().get("/health").await;
        }
        client.write_all(b"{}").await.unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {said}");
    }
    let too_much = vec![b' '; 70_000];
    let answer = daemon.rest().send(Method::GET, "/info", too_much).await;
    assert_eq!(answer.refusal(), refused(413, "payload_too_large"));
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_refused_and_its_sender_gets_to_read_why() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let body = vec![b' '; 10 * 1024 * 1024];
    for rest in [daemon.rest(), daemon.rest_over_tcp()] {
        for path in ["/login", "/jwt/verify"] {
            let answer = rest.send(Method::POST, path, body.clone()).await;
            assert_eq!(answer.refusal(), refused(413, "payload_too_large"));
        }
        let fits = format!("{{}}{}", " ".repeat(64 * 1024 - 2));
        assert_eq!(rest.send(Method::POST, "/login", fits).await.status, 201);
        let too_much = format!("{{}}{}", " ".repeat(64 * 1024 - 1));
        assert_eq!(rest.send(Method::POST, "/login", too_much).await.status, 413);
    }
}

#[tokio::test]
async fn commands_of_other_products_are_unsupported_and_nonsense_is_named() {
    let daemon = Daemon::on(&[]).start().await;
    let mut socket = daemon.websocket().await;
    for cmd in
        ["RequestSinglePayment", "RequestRecurringPayment", "RequestInvoice", "CloseRecurringPayment", ""]
    {
        let answer = socket.command(cmd, json!({})).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unsupported_command")));
    }
    for (cmd, params) in [
        ("AuthenticateKey", json!({})),
        ("VerifyJwt", json!({ "pubkey": 1 })),
        ("IssueJwt", json!([])),
        ("NewKeyHandshakeUrl", json!(["on the wall"])),
        ("Subscribe", json!({})),
        ("SetProfile", json!({ "profile": "me" })),
    ] {
        let answer = socket.command(cmd, params).await;
        assert_eq!(answer["code"], "bad_request", "{cmd}");
    }
    let unknown = json!({ "stream_id": "00000000-0000-0000-0000-000000000000" });
    assert_eq!(socket.command("Subscribe", unknown).await["code"], "no_such_stream");
    // A stream that the daemon names, and on which nothing ever happens.
    let closed = socket.data("ListenClosedRecurringPayment", json!({})).await["stream_id"].take();
    for (cmd, named) in [("Subscribe", "subscribe"), ("Unsubscribe", "unsubscribe")] {
        let told = socket.data(cmd, json!({ "stream_id": closed })).await;
        assert_eq!(told, json!({ "type": named, "stream_id": closed }));
    }
    socket.send_raw("{\"id\":\"mine\"}").await;
    assert_eq!(socket.answer("mine").await["code"], "bad_request", "an id is found even so");
    // Over the Unix socket nobody needs `Auth`, and nobody minds it.
    assert_eq!(socket.data("Auth", json!({ "token": "any" })).await["type"], "auth_success");
}

#[tokio::test]
async fn a_client_that_never_reads_is_disconnected_and_the_others_are_served() {
    let daemon = Daemon::on(&[]).start().await;
    let mut deaf = daemon.websocket().await;
    let mut other = daemon.websocket().await;
    // The answer repeats the id, so each frame costs as much to answer as to send.
    let flood = json!({ "id": "x".repeat(60_000), "cmd": "none" }).to_string();
    let flooding = deaf.send_without_reading(&flood);
    let asking = async {
        for _ in 0..20 {
            assert_eq!(daemon.rest().get("/health").await.text, "OK");
            other.data("Auth", json!({ "token": "" })).await;
        }
    };
    tokio::join!(flooding, asking);
    assert_eq!(daemon.rest().get("/health").await.text, "OK");
}

#[tokio::test]
async fn a_message_that_is_too_long_or_not_text_closes_the_websocket_alone() {
    let daemon = Daemon::on(&[]).start().await;
    let mut long = daemon.websocket().await;
    long.send_raw(&"x".repeat(65 * 1024)).await;
    let (said, closed) = long.until_closed().await;
    assert!(said.is_empty());
    assert_eq!(u16::from(closed.unwrap().code), 1009);
    let mut binary = daemon.websocket().await;
    binary.send_binary(b"\x00\x01").await;
    assert_eq!(u16::from(binary.until_closed().await.1.unwrap().code), 1003);
    assert_eq!(daemon.rest().get("/health").await.text, "OK");
}

/// A client that is told nothing asks again in the same way.
#[tokio::test]
async fn a_client_that_breaks_the_websocket_protocol_hears_what_was_wrong() {
    let daemon = Daemon::on(&[]).start().await;
    for (opcode, payload, code) in [
        (OpCode::Data(Data::Text), &b"\xff"[..], 1007),
        (OpCode::Data(Data::Continue), b"x", 1002),
        (OpCode::Data(Data::Reserved(3)), b"x", 1002),
    ] {
        let mut socket = daemon.websocket().await;
        socket.send_frame(opcode, payload).await;
        assert_eq!(u16::from(socket.until_closed().await.1.unwrap().code), code, "{opcode:?}");
    }
}

#[tokio::test]
async fn what_hyper_cannot_read_is_answered_for_what_it_is() {
    let daemon = Daemon::offline().start().await;
    for (request, status, code) in [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
        (
            "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n",
            413,
            "payload_too_large",
        ),
        (
            "POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            501,
            "unsupported_coding",
        ),
        (
            "POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            501,
            "unsupported_coding",
        ),
    ] {
        let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("an answer", stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{request}: {answer}");
    }
    assert_eq!(daemon.metric("portico_limit_reached_total{limit=\"head_size\"}").await, 0.0);
    assert_eq!(daemon.metric("portico_limit_reached_total{limit=\"body_size\"}").await, 1.0);
}

#[tokio::test]
async fn a_half_sent_request_does_not_hold_up_the_end_of_the_daemon() {
    let mut daemon = Daemon::offline().start().await;
    let mut silent = UnixStream::connect(daemon.socket()).await.unwrap();
    let mut half_a_head = UnixStream::connect(daemon.socket()).await.unwrap();
    half_a_head.write_all(b"GET /health HTTP/1.1\r\nHo").await.unwrap();
    let mut half_a_body = UnixStream::connect(daemon.socket()).await.unwrap();
    half_a_body.write_all(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{").await.unwrap();
    daemon.rest().get("/health").await;
    let started = std::time::Instant::now();
    let status = daemon.terminate().await;
    let took = started.elapsed();
    assert!(status.success(), "a client's manners are no failure of the daemon's: {status}");
    assert!(took < std::time::Duration::from_secs(8), "{took:?}");
    let _ = silent.write_all(b"x").await;
}

#[tokio::test]
async fn the_daemon_is_ready_while_a_relay_is_subscribed() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::offline().start().await;
    let answer = daemon.rest().get("/ready").await;
    assert_eq!(answer.refusal(), refused(503, "no_relay"));
    assert!(daemon.terminate().await.success());

    let daemon = Daemon::start(&[&relay]).await;
    daemon.rest().post("/key-handshake", json!({})).await.data();
    let ready = daemon.rest().get("/ready").await.data();
    assert_eq!((&ready["ready"], &ready["relays_ready"]), (&json!(true), &json!(1)));
    assert_eq!(daemon.rest().post("/login", json!({})).await.data()["relays_ready"], 1);
    let relays = daemon.rest().get("/relays").await.data();
    assert_eq!(relays["relays"][0]["state"], "ready");
}
