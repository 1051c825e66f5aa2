//! The log: one JSON object a line, an id on every line, and never a secret.

use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;

/// Everything the program and its libraries have to say.
const ALL: &str = "[log]\nlevel = \"trace,portico=trace\"\n";

/// The lines of a log, each an object with a time, a level and a message.
fn lines(log: &str) -> Vec<Value> {
    let parsed = log.lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert!(value["timestamp"].is_string() && value["level"].is_string(), "{line}");
        value
    });
    parsed.collect()
}

fn messages<'a>(lines: &'a [Value], stream: &str) -> Vec<&'a str> {
    let of_stream = lines.iter().filter(|line| line["stream_id"] == stream);
    of_stream.map(|line| line["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_login_can_be_followed_by_its_id_and_whoever_reads_the_log_learns_no_secret() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_config(ALL).with_tcp().start_subscribed(&[&relay]).await;
    let rest = daemon.rest_over_tcp();
    let (url, stream) = rest.login(json!({})).await;
    let mut user = Phone::new();
    user.scan(&url).await;
    let asked = user.challenge().await;
    let token = user.token_for(&asked.event.pubkey);
    user.approve_with(&asked, token.clone()).await;
    daemon.ended(&stream).await;

    // A stranger answers, then a wallet with somebody else's token.
    let (hostile_url, hostile) = rest.login(json!({ "static_token": "a secret of the operator" })).await;
    let (mut wallet, mut stranger) = (Phone::new(), Phone::new());
    wallet.scan(&hostile_url).await;
    let theirs = wallet.challenge().await;
    stranger.connect(&relay.url()).await;
    stranger.approve(&theirs).await;
    wallet.approve_with(&theirs, token.clone()).await;
    daemon.events(&hostile, 2).await;
    rest.verify(daemon.public_key().await, &token).await.data();
    let last = rest.with("x-request-id", "the-last");
    last.post("/jwt/revoke", json!({ "token": token })).await.data();
    daemon.until_logged("the-last").await;

    let log = daemon.log();
    let lines = lines(&log);
    assert_eq!(
        messages(&lines, &stream),
        ["handshake opened", "handshake scanned", "challenge sent", "challenge answered", "challenge ended"]
    );
    let ended = |stream: &str| {
        let mut ends = lines.iter().filter(|line| line["stream_id"] == stream && line["level"] == "INFO");
        let end = ends.next().unwrap();
        assert!(ends.next().is_none(), "one line an outcome");
        (end["outcome"].clone(), end["reason"].clone())
    };
    assert_eq!(ended(&stream), (json!("approved"), json!(null)));
    assert_eq!(ended(&hostile), (json!("session_token_invalid"), json!("invalid_signature")));

    let signature = token.rsplit('.').next().unwrap();
    let secret = nostr_sdk::SecretKey::parse(&daemon.secret()).unwrap().to_secret_hex();
    let asked = [&asked.challenge.challenge, &theirs.challenge.challenge];
    let one_time = url.split("token=").nth(1).unwrap().split('&').next().unwrap();
    for secret in [signature, &daemon.secret(), &secret, &daemon.api_token(), asked[0], asked[1], one_time] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert!(!log.contains("a secret of the operator") && !log.contains("a%20secret"));
}

#[tokio::test]
async fn a_request_can_be_found_in_the_log_by_the_id_that_its_caller_was_told() {
    let daemon = Daemon::offline().with_config(ALL).start().await;
    let named = daemon.rest().with("x-request-id", "order-17");
    assert_eq!(
        named.post("/relays", json!({ "relay": "nonsense" })).await.header("x-request-id"),
        Some("order-17")
    );
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = daemon.rest().with("traceparent", trace).post("/login", json!({})).await;
    assert_eq!(traced.header("x-request-id"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    let stream = traced.data()["stream_id"].as_str().unwrap().to_owned();
    let forged = daemon.rest().with("x-request-id", "17\" level=ERROR").get("/nowhere").await;
    let made = forged.header("x-request-id").unwrap().to_owned();
    assert_eq!(made.len(), 32, "{made}");
    let mut socket = daemon.websocket().await;
    socket.command("Nonsense", json!({})).await;
    daemon.until_logged("\"other\"").await;

    let lines = lines(&daemon.log());
    let answered = |id: &str| lines.iter().find(|line| line["request_id"] == id).expect(id).clone();
    let line = answered("order-17");
    assert_eq!(
        (&line["route"], &line["status"], &line["code"]),
        (&json!("/relays"), &json!(400), &json!("bad_request"))
    );
    assert_eq!(answered(&made)["code"], "not_found");
    let caused = lines.iter().find(|line| line["stream_id"] == stream.as_str()).unwrap();
    assert_eq!(caused["span"]["request_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{caused}");
    let upgrade = lines.iter().find(|line| line["route"] == "/ws").unwrap()["request_id"].as_str().unwrap();
    let command = lines.iter().find(|line| line["command"] == "other").unwrap();
    assert_eq!(command["span"]["request_id"], format!("{upgrade}/1"));
    assert_eq!(command["code"], "unsupported_command");
}

#[tokio::test]
async fn in_text_too_every_line_is_one_line() {
    let config = "[log]\nformat = \"text\"\nlevel = \"trace\"\n";
    let plan = Daemon::on(&[]).with_config(config);
    let mut command = plan.command();
    command.env_remove("PORTICO_LOG__FORMAT");
    let mut child = command.spawn().unwrap();
    let stderr = child.stderr.take().unwrap();
    let mut read = tokio::io::BufReader::new(stderr);
    let mut line = String::new();
    while !line.contains("serving") {
        line.clear();
        let read = tokio::io::AsyncBufReadExt::read_line(&mut read, &mut line);
        assert!(crate::support::soon("a line", read).await.unwrap() > 0);
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && rest.trim_start().starts_with(['T', 'D', 'I', 'W', 'E']), "{line}");
    }
}
