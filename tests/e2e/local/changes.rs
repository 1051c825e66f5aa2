//! Every route and command that changes the service leaves the name of its caller in the audit and in the log. What
//! they are is in the document (`x-audit`), which is compared with the table of routes.

use std::collections::BTreeMap;

use hyper::Method;
use nix::unistd::Uid;
use nostr_sdk::Keys;
use serde_json::{Value, json};

use super::table::token;
use crate::sessions::SESSIONS;
use crate::support::beginning::Member;
use crate::support::daemon::{Daemon, Plan};
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest, refused};
use crate::support::socket::Socket;
use crate::support::soon;

/// Nobody is at this relay.
const NOBODY: &str = "ws://127.0.0.1:9";

/// With sessions, and with a webhook whose receiver is not there, so that deliveries wait.
fn plan(relay: &TestRelay) -> Plan {
    let secret = "0123456789abcdef0123456789abcdef";
    let webhook = format!("[webhook]\nurl = \"http://127.0.0.1:9/hook\"\nsecret = \"{secret}\"\n");
    Daemon::on(&[relay]).with_config(&format!("{SESSIONS}{webhook}")).with_tcp()
}

/// Every route that changes something, with the kind of its audit record.
async fn changes(daemon: &Daemon) -> BTreeMap<(String, String), String> {
    let document = daemon.rest().get("/openapi.json").await.json();
    let mut changes = BTreeMap::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if let Some(kind) = operation["x-audit"].as_str() {
                changes.insert((method.to_uppercase(), path.clone()), kind.to_owned());
            }
        }
    }
    assert!(changes.len() >= 15, "these are not all: {changes:?}");
    changes
}

/// A token that somebody issued: of the format in which no two are the same, so that none was revoked before.
async fn issued(daemon: &Daemon) -> String {
    let new = json!({ "target_key": daemon.public_key().await, "duration_hours": 1, "format": "jwt" });
    daemon.rest().post("/jwt/issue", new).await.data()["token"].as_str().unwrap().to_owned()
}

/// An event that nobody takes.
async fn one_delivery_waits(daemon: &Daemon) {
    let (_, stream) = daemon.rest().key_handshake(json!({})).await;
    daemon.rest().delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
}

/// Has `by` change something by this route.
async fn change(daemon: &Daemon, by: &Rest, method: &str, path: &str) -> Answer {
    let operator = daemon.rest();
    match (method, path) {
        ("POST", "/jwt/issue") => {
            let new = json!({ "target_key": daemon.public_key().await, "duration_hours": 1 });
            by.post(path, new).await
        }
        ("POST", "/jwt/revoke") => by.post(path, json!({ "token": issued(daemon).await })).await,
        ("POST", "/oauth/revoke") => {
            by.send(Method::POST, path, format!("token={}", issued(daemon).await)).await
        }
        ("POST", "/keys/rotate") => by.post(path, json!({})).await,
        ("POST", "/relays") => {
            let added = by.post(path, json!({ "relay": NOBODY })).await;
            // The wallets of this test would try to reach it.
            operator.delete(path, json!({ "relay": NOBODY })).await.data();
            added
        }
        ("DELETE", "/relays") => {
            operator.post(path, json!({ "relay": NOBODY })).await.data();
            by.delete(path, json!({ "relay": NOBODY })).await
        }
        ("POST", "/tokens") => {
            operator.delete("/tokens/made", json!({})).await;
            by.post(path, json!({ "name": "made", "may": ["check"] })).await
        }
        ("DELETE", "/tokens/{name}") => {
            operator.post("/tokens", json!({ "name": "made", "may": ["check"] })).await;
            by.delete("/tokens/made", json!({})).await
        }
        ("POST", "/webhooks/retry") => {
            one_delivery_waits(daemon).await;
            by.post(path, json!({})).await
        }
        ("POST", "/webhooks/drop") => {
            one_delivery_waits(daemon).await;
            by.post(path, json!({ "all": true })).await
        }
        ("POST", "/users") => {
            by.post(path, json!({ "wallet_id": Keys::generate().public_key().to_hex() })).await
        }
        ("PATCH", "/users/{id}") => {
            let member = Member::of(daemon).await;
            by.patch(&format!("/users/{}", member.id()), json!({ "roles": ["x"] })).await
        }
        ("DELETE", "/users/{id}") => {
            let member = Member::of(daemon).await;
            by.delete(&format!("/users/{}", member.id()), json!({})).await
        }
        ("POST", "/users/{id}/revoke-sessions") => {
            let member = Member::of(daemon).await;
            by.post(&format!("/users/{}/revoke-sessions", member.id()), json!({})).await
        }
        ("DELETE", "/sessions/{id}") => {
            let member = Member::of(daemon).await;
            by.delete(&format!("/sessions/{}", member.session()), json!({})).await
        }
        other => panic!("{other:?} changes something: say here how, so that it is known who did it"),
    }
}

/// Waits until the latest audit record of a kind names this actor.
async fn until_audited(daemon: &Daemon, kind: &str, actor: &str) {
    let latest = async || {
        let page = daemon.rest().get(&format!("/audit?kind={kind}&limit=1")).await.data();
        page["records"][0]["actor"].as_str().unwrap_or_default().to_owned()
    };
    soon(&format!("the audit to name {actor} as {kind}"), async { while latest().await != actor {} }).await;
}

/// Waits until a line of the log has all of this.
async fn until_logged(daemon: &Daemon, parts: &[&str]) {
    let is_there = || daemon.log().lines().any(|line| parts.iter().all(|part| line.contains(part)));
    let there = async {
        while !is_there() {
            tokio::task::yield_now().await;
        }
    };
    soon(&format!("a line with {parts:?}"), there).await;
}

/// A caller over TCP with a token of all rights, and its name in the audit.
async fn with_a_token(daemon: &Daemon) -> (Rest, String) {
    let made = daemon.rest().post("/tokens", json!({ "name": "ops", "may": ["all"] })).await.data();
    let rest = Rest::tcp(daemon.address(), made["token"].as_str().unwrap().to_owned());
    (rest, format!("token:ops#{}", made["api_token"]["id"].as_str().unwrap()))
}

#[tokio::test]
async fn every_route_that_changes_something_names_its_caller_in_the_audit_and_in_the_log() {
    let relay = TestRelay::start().await;
    let daemon = plan(&relay).start_subscribed(&[&relay]).await;
    let us = (daemon.rest(), format!("unix uid {}", Uid::current()));
    for (by, name) in [with_a_token(&daemon).await, us] {
        for ((method, path), kind) in changes(&daemon).await {
            let answer = change(&daemon, &by, &method, &path).await;
            assert!(answer.status.is_success(), "{name}: {method} {path}: {answer:?}");
            until_audited(&daemon, &kind, &name).await;
            let by = format!("\"by\":\"{name}\"");
            let told = match kind.as_str() {
                "token_issued" => "\"tokens issued\"".to_owned(),
                _ => format!("\"change\":\"{method} {path}\""),
            };
            until_logged(&daemon, &[&by, &told, "\"INFO\""]).await;
        }
    }
}

#[tokio::test]
async fn every_command_that_changes_something_names_its_caller_too() {
    let relay = TestRelay::start().await;
    let daemon = plan(&relay).start_subscribed(&[&relay]).await;
    let made = daemon.rest().post("/tokens", json!({ "name": "ops", "may": ["all"] })).await.data();
    let name = format!("token:ops#{}", made["api_token"]["id"].as_str().unwrap());
    let mut socket: Socket = daemon.websocket_over_tcp().await;
    socket.data("Auth", json!({ "token": made["token"] })).await;
    let issue = json!({ "target_key": daemon.public_key().await, "duration_hours": 1 });
    for (command, params, kind) in [
        ("IssueJwt", issue, "token_issued"),
        ("AddRelay", json!({ "relay": NOBODY }), "relay_added"),
        ("RemoveRelay", json!({ "relay": NOBODY }), "relay_removed"),
        ("SetProfile", json!({ "profile": { "name": "Shop" } }), "profile_set"),
    ] {
        socket.data(command, params).await;
        until_audited(&daemon, kind, &name).await;
        let told = match kind {
            "token_issued" => "\"tokens issued\"".to_owned(),
            _ => format!("\"change\":\"{command}\""),
        };
        until_logged(&daemon, &[&format!("\"by\":\"{name}\""), &told]).await;
    }
}

/// What is refused changes nothing, and a stranger must not write lines of it.
#[tokio::test]
async fn a_change_that_was_refused_is_not_said_to_be_one() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let weak = Rest::tcp(daemon.address(), token(&daemon, "weak", &["check"]).await);
    assert_eq!(
        weak.post("/relays", json!({ "relay": NOBODY })).await.refusal(),
        refused(403, "missing_right")
    );
    let refusal = daemon.rest().delete("/relays", json!({ "relay": "ws://127.0.0.1:12" })).await;
    assert_eq!(refusal.refusal(), refused(404, "no_such_relay"));
    daemon.rest().post("/keys/rotate", json!({})).await.data();
    until_logged(&daemon, &["\"change\":\"POST /keys/rotate\""]).await;
    let changes = |line: &&str| line.contains("\"change\":") && line.contains("/relays");
    assert_eq!(daemon.log().lines().find(changes), None);
}

/// The threat: a token is revoked, another one gets its name, and nobody can tell who did what.
#[tokio::test]
async fn a_token_with_the_name_of_a_revoked_one_is_another_in_the_audit() {
    let relay = TestRelay::start().await;
    let daemon = plan(&relay).start_subscribed(&[&relay]).await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let (ops, name) = with_a_token(&daemon).await;
        ops.post("/keys/rotate", json!({})).await.data();
        until_audited(&daemon, "keys_rotated", &name).await;
        daemon.rest().delete("/tokens/ops", json!({})).await.data();
        let page = daemon.rest().get("/audit?kind=api_token_revoked&limit=1").await.data();
        let detail = &page["records"][0]["detail"];
        assert_eq!(format!("token:ops#{}", detail["id"].as_str().unwrap()), name, "{detail}");
        names.push(name);
    }
    assert_ne!(names[0], names[1]);
    // Nor can two be told apart only by who looks closely.
    token(&daemon, "Shop", &["check"]).await;
    for alike in ["shop", "SHOP", "Shop"] {
        let refusal = daemon.rest().post("/tokens", json!({ "name": alike, "may": ["check"] })).await;
        assert_eq!(refusal.refusal(), refused(409, "token_exists"), "{alike}");
    }
    for hidden in ["sh\u{200b}op", "\u{455}hop", "shop\u{202e}", "ｓhop"] {
        let refusal = daemon.rest().post("/tokens", json!({ "name": hidden, "may": ["check"] })).await;
        assert_eq!(refusal.refusal(), refused(400, "bad_request"), "{hidden:?}");
    }
}

/// The threat: the holder of a token fills the disk with records of its changes.
#[tokio::test]
async fn the_holder_of_a_token_makes_only_so_many_changes_and_an_operator_goes_on() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let (ops, _) = with_a_token(&daemon).await;
    for n in 0..1_000 {
        let answer = ops.delete("/relays", json!({ "relay": "ws://127.0.0.1:12" })).await;
        assert_eq!(answer.refusal(), refused(404, "no_such_relay"), "{n}");
    }
    for (method, path) in
        [(Method::POST, "/relays"), (Method::POST, "/keys/rotate"), (Method::DELETE, "/tokens/x")]
    {
        let answer = ops.send(method, path, json!({ "relay": NOBODY }).to_string()).await;
        assert_eq!(answer.refusal(), refused(429, "limit_reached"), "{path}");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=600).contains(&wait), "{wait}");
    }
    assert_eq!(daemon.metric("portico_limit_reached_total{limit=\"changes_per_token\"}").await, 3.0);
    assert_eq!(ops.get("/relays").await.status, 200, "it may still look");
    daemon.rest().post("/keys/rotate", json!({})).await.data();
}

#[tokio::test]
async fn tokens_that_are_issued_without_end_are_all_counted_in_a_few_records() {
    let relay = TestRelay::start().await;
    let mut daemon = plan(&relay).start_subscribed(&[&relay]).await;
    let (ops, name) = with_a_token(&daemon).await;
    let new = json!({ "target_key": daemon.public_key().await, "duration_hours": 1, "format": "jwt" });
    for _ in 0..60 {
        ops.post("/jwt/issue", new.clone()).await.data();
    }
    // What is not recorded one by one is when it stops, if not before.
    assert!(daemon.terminate().await.success());
    let daemon = daemon.restart().await;
    let page = daemon.rest().get("/audit?kind=token_issued&limit=1000").await.data();
    let records: Vec<&Value> = page["records"].as_array().unwrap().iter().collect();
    assert!(records.iter().all(|record| record["actor"] == name), "{records:?}");
    let counted: u64 = records.iter().map(|record| record["detail"]["more"].as_u64().unwrap_or(1)).sum();
    assert_eq!(counted, 60);
    assert!(records.len() < 40, "{}", records.len());
    assert!(records.iter().any(|record| record["detail"]["format"] == "jwt"), "{records:?}");
}
