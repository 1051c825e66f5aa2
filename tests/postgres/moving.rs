//! `portico store migrate`: everything moves from SQLite to PostgreSQL, or nothing.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::{Daemon, Plan};
use crate::support::postgres::Postgres;
use crate::support::program::{Finished, finished};
use crate::support::relay::TestRelay;

const SESSIONS: &str =
    "[sessions]\nenabled = true\n[webhook]\nurl = \"http://127.0.0.1:9/\"\nsecret = \"0123456789abcdef\"\n";

/// Runs the command for the data of this daemon, which has ended.
async fn moved(daemon: &Daemon, url: &str) -> Finished {
    let mut command = daemon.tool(&["store", "migrate"]);
    command.env("PORTICO_STORE__URL", url);
    finished(command).await
}

/// What callers see of it.
async fn seen(daemon: &Daemon, stream: &str) -> Vec<Value> {
    let mut seen = vec![json!(daemon.rest().events(stream).await)];
    for path in ["/users", "/audit", "/tokens", "/.well-known/jwks.json"] {
        seen.push(daemon.rest().get(path).await.json());
    }
    seen
}

/// The names of the files of its data folder that begin like this.
fn files(daemon: &Daemon, beginning: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(daemon.folder().join("data")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(beginning)).collect()
}

#[tokio::test]
async fn all_state_is_the_same_after_the_move_and_the_old_files_are_kept_aside() {
    let (server, relay) = (Postgres::start(), TestRelay::start().await);
    let mut daemon = Daemon::on(&[&relay]).with_config(SESSIONS).start_subscribed(&[&relay]).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.approve(&asked).await;
    daemon.ended(&stream).await;
    let made = json!({ "name": "shop", "may": ["check"] });
    assert!(daemon.rest().post("/tokens", made).await.status.is_success());
    let (_, open) = daemon.rest().key_handshake(json!({ "static_token": "a\\b\"c\"" })).await;
    let before = seen(&daemon, &stream).await;
    daemon.terminate().await;

    let url = server.database().await;
    let done = moved(&daemon, &url).await;
    assert_eq!(done.code, 0, "{done:?}");
    for line in ["users          1", "sessions       1", "api_tokens     1", "handshakes     1"] {
        assert!(done.stdout.contains(line), "{line}: {}", done.stdout);
    }
    assert_eq!(files(&daemon, "portico.db.moved-").len(), 1);
    assert_eq!(files(&daemon, "access-keys.json.moved-").len(), 1);
    assert!(!daemon.database().exists());

    let daemon = daemon.restart_with("PORTICO_STORE__URL", &url).await;
    assert_eq!(seen(&daemon, &stream).await, before);
    assert!(daemon.rest().events(&open).await.is_empty());
    assert_eq!(server.sql(&url, "SELECT count(*) > 0 FROM portico.deliveries").await, "t");
    let numbers =
        "SELECT max(number) < nextval(pg_get_serial_sequence('portico.audit', 'number')) FROM portico.audit";
    assert_eq!(server.sql(&url, numbers).await, "t", "no number is given twice");
}

async fn stopped() -> Daemon {
    let mut daemon = Daemon::offline().start().await;
    daemon.rest().key_handshake(json!({})).await;
    daemon.terminate().await;
    daemon
}

#[tokio::test]
async fn nothing_moves_into_a_database_that_is_not_empty() {
    let server = Postgres::start();
    let url = server.database().await;
    let first = stopped().await;
    assert_eq!(moved(&first, &url).await.code, 0);
    let second = stopped().await;
    let refused = moved(&second, &url).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("is not empty: nothing was moved"), "{refused:?}");
    assert_eq!(server.sql(&url, "SELECT count(*) FROM portico.handshakes").await, "1");
    assert!(second.database().exists());
}

#[tokio::test]
async fn nothing_moves_while_a_daemon_runs_on_either_side() {
    let server = Postgres::start();
    let url = server.database().await;
    let running = Daemon::offline().start().await;
    let refused = moved(&running, &url).await;
    assert!(refused.code == 69 && refused.stderr.contains("stop it first"), "{refused:?}");

    let other = Daemon::offline().with_env("PORTICO_STORE__URL", &url).start().await;
    let source = stopped().await;
    let refused = moved(&source, &url).await;
    assert!(refused.code == 69 && refused.stderr.contains("another daemon"), "{refused:?}");
    assert!(source.database().exists());
    drop(other);
}

/// A row that PostgreSQL cannot keep, among many that it can.
#[tokio::test]
async fn a_row_that_cannot_move_leaves_the_database_empty_and_the_file_in_use() {
    let server = Postgres::start();
    let url = server.database().await;
    let daemon = stopped().await;
    let db = rusqlite::Connection::open(daemon.database()).unwrap();
    db.execute("INSERT INTO relay_changes VALUES ('wss://a' || char(0), 'added', 1)", []).unwrap();
    drop(db);
    let refused = moved(&daemon, &url).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("table relay_changes: a text contains the character NUL"), "{refused:?}");
    assert_eq!(server.sql(&url, "SELECT count(*) FROM portico.streams").await, "0");
    assert!(daemon.database().exists() && daemon.folder().join("data/access-keys.json").exists());
}

#[tokio::test]
async fn without_a_source_or_a_target_the_command_says_what_is_missing() {
    let server = Postgres::start();
    let plan: Plan = Daemon::offline().with_env("PORTICO_STORE__URL", server.database().await);
    let (code, said) = finished(plan.tool(&["store", "migrate"])).await.into_refusal();
    assert!(code == 64 && said.contains("nothing to move"), "{code}: {said}");
    let (code, said) = finished(Daemon::offline().tool(&["store", "migrate"])).await.into_refusal();
    assert!(code == 64 && said.contains("store.url"), "{code}: {said}");
}
