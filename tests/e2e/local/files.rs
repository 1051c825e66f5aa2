//! What lies on the disk and in the log, and what must not.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn what_the_daemon_makes_is_private_even_where_the_folder_is_not() {
    let daemon = Daemon::on(&[]).where_others_can_look().with_tcp().start().await;
    let made = ["service.key", "data/api-token", "data/portico.db", "data/portico.db-wal"];
    for name in made {
        let mode = std::fs::metadata(daemon.folder().join(name)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}: {mode:o}");
    }
    assert_eq!(std::fs::metadata(daemon.folder().join("data")).unwrap().mode() & 0o777, 0o700);
    assert!(daemon.api_token().len() >= 32);
    daemon.until_logged("api-token").await;
}

#[tokio::test]
async fn a_generated_key_and_token_are_the_same_after_a_restart() {
    let mut daemon = Daemon::offline().with_tcp().start().await;
    let before = (daemon.public_key().await, daemon.api_token());
    assert!(daemon.terminate().await.success());
    let daemon = daemon.restart().await;
    assert_eq!((daemon.public_key().await, daemon.api_token()), before);
    assert_eq!(daemon.rest_over_tcp().get("/info").await.status, 200);
}

/// All of a login, with everything that is secret in it; then everything that was written.
async fn secrets_stay_secret(level: &str) {
    let relay = TestRelay::start().await;
    let config = format!("[log]\nlevel = \"{level}\"\n");
    let daemon = Daemon::on(&[&relay]).with_config(&config).with_tcp().start_subscribed(&[&relay]).await;
    let mut socket = daemon.websocket_over_tcp().await;
    socket.data("Auth", json!({ "token": daemon.api_token() })).await;
    let rest = daemon.rest_over_tcp();
    let (url, stream) = rest.login(json!({})).await;
    socket.subscribe(&stream, 0).await;
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    let session_token = phone.token_for(&asked.event.pubkey);
    phone.approve_with(&asked, session_token.clone()).await;
    let events = socket.until_ended(&stream).await;
    assert_eq!(events[1]["status"]["session_token"], session_token, "the caller gets it");
    rest.verify(phone.key(), &session_token).await.data();
    socket.data("VerifyJwt", json!({ "pubkey": phone.key(), "token": session_token })).await;
    let issued = rest.post("/jwt/issue", json!({ "target_key": phone.key(), "duration_hours": 1 })).await;
    let issued = issued.data()["token"].as_str().unwrap().to_owned();
    rest.post("/jwt/revoke", json!({ "token": issued })).await.data();
    rest.verify(phone.key(), &format!("{session_token}x")).await.refusal();

    let secret = nostr_sdk::Keys::parse(&daemon.secret()).unwrap();
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let secrets = [
        ("the service's secret", daemon.secret()),
        ("the service's secret in hex", secret.secret_key().to_secret_hex()),
        ("the API token", daemon.api_token()),
        ("the session token's signature", signature(&session_token)),
        ("the issued token's signature", signature(&issued)),
    ];
    let log = daemon.log();
    assert!(log.contains("challenge ended"), "there is a log");
    for (what, text) in &secrets {
        let line = log.lines().find(|line| line.contains(text));
        assert!(line.is_none(), "{what} is in the log: {line:?}");
    }
    for path in files_below(&daemon.folder().join("data")) {
        let bytes = std::fs::read(&path).unwrap();
        for (what, text) in &secrets {
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            let is_token_file = path.ends_with("api-token") && *what == "the API token";
            assert!(!found || is_token_file, "{what} is in {}", path.display());
        }
    }
}

#[tokio::test]
async fn a_thief_of_the_log_or_the_database_finds_no_secret_in_them() {
    secrets_stay_secret("trace").await;
}

#[tokio::test]
async fn a_thief_of_the_log_finds_no_secret_even_where_every_library_logs_all_it_does() {
    secrets_stay_secret("trace,portico=trace").await;
}
