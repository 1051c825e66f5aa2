//! `GET /metrics`.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

/// The names of the families by their type, after a look at the form of every line.
fn families(text: &str) -> HashMap<&str, &str> {
    let (mut types, mut helped, mut series) = (HashMap::new(), HashSet::new(), HashSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.') && helped.insert(name), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(name) && types.insert(name, kind).is_none(), "{line}");
        } else {
            let (left, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok() && series.insert(left), "{line}");
            let name = left.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let family = family.filter(|family| types.get(family) == Some(&"histogram")).unwrap_or(name);
            assert!(types.contains_key(family), "{line}");
        }
    }
    types
}

#[tokio::test]
async fn every_name_follows_the_conventions_and_says_what_it_counts() {
    let daemon = Daemon::offline().start().await;
    daemon.rest().login(json!({})).await;
    let answer = daemon.rest().get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"));
    for (name, kind) in families(&answer.text) {
        assert!(name.starts_with("portico_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        let speaks_of_time =
            name.contains("latency") || name.contains("duration") || name.contains("unavailable");
        assert_eq!(
            name.contains("_seconds"),
            speaks_of_time || name.contains("cpu") || name.contains("start_time"),
            "{name}"
        );
    }
    let opened = daemon.metric("portico_requests_opened_total{kind=\"authentication\"}").await;
    assert_eq!(opened, 0.0, "a rate has a beginning");
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"] {
        assert!(daemon.metric(name).await > 0.0, "{name}");
    }
    let database = std::fs::metadata(daemon.database()).unwrap().len();
    assert!(daemon.metric("portico_store_size_bytes").await >= database as f64, "the log counts, too");
    let started = answer.text.lines().filter(|line| line.starts_with("process_start_time_seconds "));
    assert_eq!(started.count(), 1);
    let open = daemon.metric("process_open_fds").await;
    assert!((1.0..=daemon.metric("process_max_fds").await).contains(&open));
    let build = format!("portico_build_info{{git_commit=\"{}\",version=", portico::api::GIT_COMMIT);
    assert!(answer.text.contains(&build));
}

#[tokio::test]
async fn a_login_is_counted_from_its_opening_to_its_outcome() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut users = Vec::new();
    for approves in [true, false] {
        let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
        assert_eq!(daemon.metric("portico_open_challenges").await, 1.0);
        if approves {
            phone.approve(&asked).await;
        } else {
            phone.approve_with(&asked, Phone::new().token_for(&asked.event.pubkey)).await;
        }
        daemon.ended(&stream).await;
        users.push(phone);
    }
    let url = relay.url();
    for (series, value) in [
        ("portico_requests_opened_total{kind=\"login\"}", 2.0),
        ("portico_scans_total{result=\"taken\"}", 2.0),
        ("portico_challenges_ended_total{outcome=\"approved\",reason=\"\"}", 1.0),
        (
            "portico_challenges_ended_total{outcome=\"session_token_invalid\",reason=\"invalid_signature\"}",
            1.0,
        ),
        ("portico_challenge_duration_seconds_count{outcome=\"approved\"}", 1.0),
        ("portico_open_handshakes", 0.0),
        ("portico_open_challenges", 0.0),
        ("portico_outbox_events", 0.0),
        ("portico_http_requests_total{method=\"POST\",route=\"/login\",status=\"201\"}", 2.0),
        ("portico_http_request_duration_seconds_count{route=\"/login\"}", 2.0),
        (&format!("portico_relay_ready{{relay=\"{url}\"}}"), 1.0),
        (&format!("portico_relay_paused{{relay=\"{url}\"}}"), 0.0),
        (&format!("portico_relay_connections_total{{relay=\"{url}\"}}"), 1.0),
    ] {
        assert_eq!(daemon.metric(series).await, value, "{series}");
    }
    // Two scans and two answers; the daemon's own events are none of its subscription.
    let received = format!("portico_relay_received_events_total{{relay=\"{url}\"}}");
    assert!(daemon.metric(&received).await >= 4.0);
    assert!(daemon.metric("portico_store_transaction_duration_seconds_count").await >= 4.0);
    assert_eq!(daemon.metric("portico_store_failures_total").await, 0.0);
    let text = daemon.rest().get("/metrics").await.text;
    assert!(users.iter().all(|user| !text.contains(&user.key().to_hex())), "no key is a label");
}

#[tokio::test]
async fn tokens_connections_and_commands_are_counted() {
    let daemon = Daemon::on(&[]).with_tcp().start().await;
    let us = daemon.public_key().await;
    let mut socket = daemon.websocket().await;
    let issued = socket.data("IssueJwt", json!({ "target_key": us, "duration_hours": 1 })).await;
    let token = issued["token"].as_str().unwrap();
    for _ in 0..3 {
        daemon.rest().verify(&us, token).await.data();
    }
    daemon.rest().verify(&us, "nonsense").await;
    let rest = daemon.rest_over_tcp();
    rest.get("/no/such/path/12345").await;
    for (series, value) in [
        ("portico_tokens_issued_total", 1.0),
        ("portico_tokens_verified_total{result=\"ok\"}", 3.0),
        ("portico_tokens_verified_total{result=\"malformed_token\"}", 1.0),
        ("portico_signature_cache_total{result=\"hit\"}", 2.0),
        ("portico_websocket_clients", 1.0),
        ("portico_websocket_commands_total{command=\"IssueJwt\",result=\"ok\"}", 1.0),
        ("portico_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}", 1.0),
    ] {
        assert_eq!(daemon.metric(series).await, value, "{series}");
    }
    assert!(daemon.metric("portico_connections{socket=\"unix\"}").await >= 2.0);
    assert!(daemon.metric("portico_connections{socket=\"tcp\"}").await >= 0.0);
}

#[tokio::test]
async fn a_stranger_on_tcp_reads_no_metrics_and_makes_no_labels() {
    let daemon = Daemon::offline().with_tcp().start().await;
    let stranger = daemon.rest_over_tcp().without("authorization");
    assert_eq!(stranger.get("/metrics").await.refusal(), refused(401, "unauthorized"));
    for n in 0..20 {
        stranger.get(&format!("/made-up-{n}")).await;
        let method = hyper::Method::from_bytes(format!("MADEUP{n}").as_bytes()).unwrap();
        stranger.send(method, "/login", "").await;
    }
    let text = daemon.rest().get("/metrics").await.text;
    assert!(!text.contains("made-up") && !text.contains("MADEUP"), "{text}");
}
