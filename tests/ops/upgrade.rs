//! Stores that earlier versions wrote, and one that a later version did.

use std::fs;
use std::path::{Path, PathBuf};

use nostr_sdk::Keys;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::support::daemon::{Daemon, Plan};
use crate::support::now;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;

const STEPS: [&str; 3] = [
    include_str!("../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../migrations/sqlite/0002_webhooks.sql"),
    include_str!("../../migrations/sqlite/0003_history.sql"),
];

/// Streams as earlier versions numbered them: one that has ended, and a login URL that is printed on a wall.
const ENDED: u128 = 0x01a1_fa72_0000_7000_8000_0000_0000_0001;
const WALL: u128 = 0x01a1_fa72_0000_7000_8000_0000_0000_0002;

fn database(plan: &Plan) -> PathBuf {
    plan.folder().join("data/portico.db")
}

/// A database as the version of this program left it that knew the first `version` steps, with a row of
/// everything in it.
fn write_old(path: &Path, version: usize, relay: &TestRelay) {
    fs::create_dir(path.parent().unwrap()).unwrap();
    let db = Connection::open(path).unwrap();
    db.execute_batch("PRAGMA journal_mode = wal").unwrap();
    for step in &STEPS[..version] {
        db.execute_batch(step).unwrap();
    }
    db.pragma_update(None, "application_id", i32::from_be_bytes(*b"Prtc")).unwrap();
    db.pragma_update(None, "user_version", version as u32).unwrap();

    let (user, now) = (Keys::generate().public_key().to_bytes(), i64::try_from(now()).unwrap() * 1000);
    let (ended, wall) = (ENDED.to_be_bytes(), WALL.to_be_bytes());
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        db.execute(sql, values).unwrap();
    };
    run("INSERT INTO streams VALUES (?1, 2, ?2, ?2)", params![ended, now]);
    run("INSERT INTO streams VALUES (?1, 1, ?2, NULL)", params![wall, now]);
    let body = json!({ "type": "error", "reason": "no answer in time", "code": "timed_out" }).to_string();
    run("INSERT INTO events VALUES (?1, 1, ?2, ?3)", params![ended, now, body]);
    run("INSERT INTO handshakes VALUES (?1, 'wall', 'login', 0, ?2, NULL)", params![wall, now]);
    run("INSERT INTO users VALUES (?1, '[]', ?2, ?2)", params![user, now]);
    run("INSERT INTO signers VALUES (?1, ?1)", params![user]);
    run("INSERT INTO subkeys VALUES (?1, ?2, '{}', ?3)", params![user, [7u8; 32], now]);
    run("INSERT INTO relay_changes VALUES (?1, 'added', ?2)", params![relay.url().to_string(), now]);
    run("INSERT INTO revocations VALUES (?1, ?2, ?3)", params![[9u8; 32], now + 86_400_000, now]);
    run("INSERT INTO scans VALUES (?1, ?2)", params![[5u8; 32], now]);
    run(
        "INSERT INTO challenges VALUES ('c', ?1, ?2, '[]', '[]', 0, 1, ?3, ?3, ?3)",
        params![ended, user, now],
    );
    if version > 1 {
        run("INSERT INTO deliveries VALUES (?1, 1, ?2, 3, NULL, 'http_500', ?2)", params![ended, now]);
    }
}

/// How many rows there are of each kind.
fn rows(path: &Path) -> Vec<(String, u32)> {
    let db = Connection::open(path).unwrap();
    let mut tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let count = |name: String| {
        let count = db.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).unwrap();
        (name, count)
    };
    names.into_iter().map(count).collect()
}

#[tokio::test]
async fn a_daemon_takes_over_what_any_earlier_version_wrote_and_loses_none_of_it() {
    for version in 1..=STEPS.len() {
        let relay = TestRelay::start().await;
        let plan = Daemon::on(&[]);
        let path = database(&plan);
        write_old(&path, version, &relay);
        let mut before = rows(&path);
        assert!(before.iter().all(|(_, rows)| *rows > 0), "{before:?}");
        for (table, _) in &mut before {
            if table == "users" {
                "wallets".clone_into(table);
            }
        }

        let daemon = plan.start_subscribed(&[&relay]).await;
        let after = rows(&path);
        for table in &before {
            assert!(after.contains(table), "version {version}: {table:?} became {after:?}");
        }
        let ended = daemon.rest().events(&uuid::Uuid::from_u128(ENDED).to_string()).await;
        assert_eq!((&ended[0]["index"], &ended[0]["code"]), (&json!(1), &json!("timed_out")));
        let (url, stream) = daemon.rest().login(json!({ "static_token": "wall" })).await;
        assert_eq!(stream, uuid::Uuid::from_u128(WALL).to_string(), "the URL on the wall still works");
        let mut phone = Phone::new();
        phone.scan(&url).await;
        let asked = phone.challenge().await;
        phone.approve(&asked).await;
        assert_eq!(daemon.events(&stream, 2).await[1]["type"], "authenticate_key");
        let failed = daemon.rest().get("/webhooks").await.data()["failed"].as_u64();
        assert_eq!(failed, Some(u64::from(version > 1)));
    }
}

#[tokio::test]
async fn a_store_of_a_later_version_is_refused_and_left_as_it_is() {
    let relay = TestRelay::start().await;
    let plan = Daemon::on(&[]);
    let path = database(&plan);
    write_old(&path, 2, &relay);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = fs::read(&path).unwrap();
    let (code, said) = plan.refusal().await;
    assert!(code == 69 && said.contains("newer version") && said.contains("99"), "{code}: {said}");
    assert_eq!(fs::read(&path).unwrap(), before);
}
