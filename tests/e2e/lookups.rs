//! Profiles and NIP-05 names: shown only where they verify.

use nostr_sdk::{Event, EventBuilder, Keys, Kind, Metadata};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::daemon::Daemon;
use crate::support::domain::domain;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

const ALLOW_PRIVATE: &str = "[lookup]\nallow_private = true\ntimeout = \"3s\"\n";

fn profile(keys: &Keys, name: &str, nip05: &str) -> Event {
    let metadata = Metadata { nip05: Some(nip05.into()), ..Metadata::new().name(name) };
    EventBuilder::metadata(&metadata).sign_with_keys(keys).unwrap()
}

async fn shown(daemon: &Daemon, keys: &Keys) -> Value {
    daemon.rest().get(&format!("/profile/{}", keys.public_key())).await.data()["profile"].take()
}

#[tokio::test]
async fn a_profile_is_shown_with_its_nip05_name_only_where_that_points_back() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_config(ALLOW_PRIVATE).start_subscribed(&[&relay]).await;
    let (honest, impostor) = (Keys::generate(), Keys::generate());
    let document = json!({ "names": { "alice": honest.public_key() } }).to_string();
    let name = format!("alice@{}", domain("200 OK", &[], document).await);
    for (keys, nip05, expected) in [
        (&honest, name.clone(), json!(name)),
        (&impostor, name.clone(), json!(null)),
        (&honest, name.replace("alice", "bob"), json!(null)),
        (&honest, format!("alice@{}", domain("404 Not Found", &[], "{}".into()).await), json!(null)),
        (&honest, format!("alice@{}", domain("200 OK", &[], "x".repeat(300_000)).await), json!(null)),
        (&honest, "alice@127.0.0.1:1".into(), json!(null)),
        (&honest, format!("{name}/../x?"), json!(null)),
    ] {
        relay.state().stored.clear();
        relay.publish(&profile(keys, "Alice", &nip05));
        let shown = shown(&daemon, keys).await;
        assert_eq!((&shown["name"], &shown["nip05"]), (&json!("Alice"), &expected), "{nip05}");
    }
    let found = daemon.rest().get(&format!("/nip05/{name}")).await.data();
    assert_eq!(found["profile"]["public_key"], honest.public_key().to_hex());
    let mut socket = daemon.websocket().await;
    let same = socket.data("FetchNip05Profile", json!({ "nip05": name })).await;
    assert_eq!((&same["type"], &same["profile"]), (&json!("fetch_nip05_profile"), &found["profile"]));
    let shouted = daemon.rest().get(&format!("/nip05/{}", name.replace("alice", "ALICE"))).await.data();
    assert_eq!(shouted["profile"]["public_key"], honest.public_key().to_hex(), "the local part ignores case");
}

#[tokio::test]
async fn a_nip05_name_that_is_not_found_is_an_error_that_says_why() {
    let relay = TestRelay::start().await;
    let config = "[lookup]\nallow_private = true\ntimeout = \"500ms\"\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let rest = daemon.rest();
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = async |status, document: &str| format!("bob@{}", domain(status, &[], document.into()).await);
    let key = Keys::generate().public_key().to_hex();
    let large = format!("{{\"names\":{{\"bob\":\"{key}\"}},\"x\":\"{}\"}}", "x".repeat(256 * 1024));
    let mut socket = daemon.websocket().await;
    for (name, status, code) in [
        ("bob".into(), 400, "bad_request"),
        ("bob@".into(), 400, "bad_request"),
        ("bob@127.0.0.1:1".into(), 502, "host_unreachable"),
        (at("200 OK", "{\"names\":{\"alice\":\"\"}}").await, 404, "no_such_name"),
        (at("404 Not Found", "").await, 404, "no_such_name"),
        (at("302 Found", "").await, 502, "host_unreachable"),
        (at("500 Oops", "{}").await, 502, "host_unreachable"),
        (at("200 OK", "<html>").await, 502, "malformed_document"),
        (at("200 OK", &format!("{{\"names\":{{\"bob\":\"{key}0\"}}}}")).await, 502, "malformed_document"),
        (at("200 OK", &large).await, 502, "document_too_large"),
        (format!("bob@{}", deaf.local_addr().unwrap()), 504, "timed_out"),
    ] {
        let answer = rest.get(&format!("/nip05/{name}")).await;
        assert_eq!(answer.refusal(), refused(status, code), "{name}");
        let same = socket.command("FetchNip05Profile", json!({ "nip05": name })).await;
        assert_eq!((&same["type"], &same["code"]), (&json!("error"), &json!(code)), "{name}");
    }
    let nobody_listens = rest.get("/nip05/bob@127.0.0.1:1").await.json()["error"].take();
    assert!(nobody_listens.as_str().unwrap().contains("Connection refused"), "{nobody_listens}");
    assert_eq!(daemon.metric("portico_limit_reached_total{limit=\"nip05_document\"}").await, 2.0);
    let nobody = Keys::generate().public_key();
    let profile = rest.get(&format!("/profile/{nobody}")).await.data();
    assert_eq!(profile["profile"], json!(null), "that there is none is an answer");
}

#[tokio::test]
async fn a_name_at_a_private_address_is_refused_with_the_key_that_would_allow_it() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).start_subscribed(&[&relay]).await;
    for host in ["127.0.0.1:9", "[::1]:9", "localhost:9"] {
        let answer = daemon.rest().get(&format!("/nip05/bob@{host}")).await;
        assert_eq!(answer.refusal(), refused(502, "host_unreachable"), "{host}");
        let body = answer.json();
        let told = body["error"].as_str().unwrap();
        assert!(
            told.ends_with("Portico did not ask it, because its address is private (allowed with lookup.allow_private = true)"),
            "{host}: {told}"
        );
    }
}

#[tokio::test]
async fn a_host_that_lists_a_broken_relay_is_still_read() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_config(ALLOW_PRIVATE).start_subscribed(&[&relay]).await;
    let key = Keys::generate().public_key().to_hex();
    let document =
        json!({ "names": { "bob": key, "eve": 1 }, "relays": { &key: ["wss://a.example", "", 7] } });
    let name = format!("Bob@{}", domain("200 OK", &[], document.to_string()).await);
    let found = daemon.rest().get(&format!("/nip05/{name}")).await.data();
    assert_eq!(found["profile"]["relays"], json!(["wss://a.example"]));
    assert_eq!(found["profile"]["nip05"], name);
}

#[tokio::test]
async fn a_hostile_profile_cannot_make_the_daemon_call_on_its_neighbours() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let keys = Keys::generate();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"] {
        relay.state().stored.clear();
        relay.publish(&profile(&keys, "Mallory", &format!("m@{host}:{port}")));
        assert_eq!(shown(&daemon, &keys).await["nip05"], json!(null), "{host}");
    }
    // Whoever had called would be waiting here.
    let called = std::pin::pin!(listener.accept());
    assert!(futures_util::poll!(called).is_pending());
}

#[tokio::test]
async fn a_hostile_relay_cannot_make_up_a_profile() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (keys, other) = (Keys::generate(), Keys::generate());
    assert_eq!(shown(&daemon, &keys).await, json!(null));
    let mut forged = profile(&other, "Mallory", "");
    forged.pubkey = keys.public_key();
    relay.state().stored.push(forged);
    assert_eq!(shown(&daemon, &keys).await, json!(null));
    relay.publish(&profile(&keys, "Alice", ""));
    assert_eq!(shown(&daemon, &keys).await["name"], "Alice");
}

#[tokio::test]
async fn the_service_publishes_its_own_profile_and_is_found_by_its_name() {
    let relay = TestRelay::start().await;
    let config = "[service]\nnip05_names = [\"_\", \"shop\"]\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let us = daemon.public_key().await;
    let mut socket = daemon.websocket().await;
    let set = socket.data("SetProfile", json!({ "profile": { "name": "Shop" } })).await;
    assert_eq!(set["type"], "auth_success");
    assert_eq!(relay.state().stored[0].kind, Kind::Metadata);
    let told = socket.data("FetchProfile", json!({ "main_key": us })).await;
    assert_eq!((&told["type"], &told["profile"]["name"]), (&json!("profile"), &json!("Shop")));

    let rest = daemon.rest();
    for path in ["/.well-known/nostr.json", "/well-known/nostr.json"] {
        let all = rest.get(path).await.json();
        assert_eq!(all["names"], json!({ "_": us, "shop": us }), "{path}");
        assert_eq!(all["relays"][&us], json!([relay.url()]));
        let one = rest.get(&format!("{path}?name=shop")).await.json();
        assert_eq!(one["names"], json!({ "shop": us }));
        let none = rest.get(&format!("{path}?name=mallory")).await.json();
        assert_eq!((&none["names"], &none["relays"]), (&json!({}), &json!({})));
    }
}
