//! A wall clock that is set ahead for a while: what was revoked or used stays so, and nothing is dropped for good.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nostr_sdk::Keys;
use portico::app::{self, Daemon};
use portico::clock::{Clock, SystemClock, Timestamp};
use portico::config::{self, Overrides};
use portico::http::HandedOver;
use rusqlite::Connection;
use serde_json::json;

use crate::support::rest::{Answer, Rest, refused};
use crate::support::{signed, soon};

const DAY: u64 = 24 * 3600;

/// The system's clock, and how far it is set ahead, in seconds.
#[derive(Debug, Default)]
struct SetAhead(AtomicU64);

impl Clock for SetAhead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_secs(self.0.load(Ordering::SeqCst)))
    }
}

/// A daemon in this process, whose clock is so many days ahead.
struct World {
    folder: tempfile::TempDir,
    clock: Arc<SetAhead>,
    daemon: Option<Daemon>,
}

impl World {
    async fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("portico.toml"), config).unwrap();
        let nobody = "[[relay]]\nurl = \"ws://127.0.0.1:9\"\n";
        std::fs::write(folder.path().join("relays.toml"), nobody).unwrap();
        let mut world = Self { folder, clock: Arc::default(), daemon: None };
        world.restart(0).await;
        world
    }

    /// Starts it again, with the clock so many days ahead, and waits until it has tidied up.
    async fn restart(&mut self, days: u64) {
        self.restart_ahead(days * DAY).await;
    }

    /// The same, by seconds.
    async fn restart_ahead(&mut self, secs: u64) {
        if let Some(daemon) = self.daemon.take() {
            assert!(daemon.stop(std::future::pending()).await);
        }
        self.clock.0.store(secs, Ordering::SeqCst);
        let started = self.clock.now();
        let at = |name: &str| Some(self.folder.path().join(name));
        let overrides = Overrides {
            config: at("portico.toml"),
            relays: at("relays.toml"),
            socket: at("portico.sock"),
            data_dir: at("data"),
            key_file: at("service.key"),
            ..Overrides::default()
        };
        let config = config::load(&overrides).unwrap();
        let daemon = app::start(&config, HandedOver::default(), self.clock.clone()).await;
        self.daemon = Some(daemon.unwrap());
        // Written after the purge. A clock that came back has a higher time there already.
        let database = self.database();
        soon("the daemon to tidy up", async {
            while highest(&database).is_none_or(|highest| highest < started) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    fn rest(&self) -> Rest {
        Rest::unix(self.folder.path().join("portico.sock"))
    }

    fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("data/portico.db")
    }

    fn count(&self, table: &str) -> u64 {
        let db = Connection::open(self.database()).unwrap();
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap() as u64
    }

    async fn us(&self) -> String {
        self.rest().get("/info").await.data()["public_key"].as_str().unwrap().to_owned()
    }

    async fn jumps(&self, direction: &str) -> bool {
        let series = format!("portico_clock_jumps_total{{direction=\"{direction}\"}} 1");
        self.rest().get("/metrics").await.text.contains(&series)
    }
}

/// The highest time that a daemon has seen, if it has looked.
fn highest(database: &Path) -> Option<Timestamp> {
    let db = Connection::open(database).ok()?;
    db.busy_timeout(Duration::from_secs(5)).ok()?;
    let millis: i64 = db.query_row("SELECT highest FROM clock", [], |row| row.get(0)).ok()?;
    Some(Timestamp::from_millis(millis as u64))
}

#[tokio::test]
async fn a_token_that_was_revoked_stays_so_when_the_clock_was_ahead_for_a_while() {
    let mut world = World::start("").await;
    let body = json!({ "target_key": Keys::generate().public_key(), "duration_hours": 1 });
    let issued = world.rest().post("/jwt/issue", body).await;
    let token = issued.data()["token"].as_str().unwrap().to_owned();
    world.rest().post("/jwt/revoke", json!({ "token": token })).await.data();
    let us = world.us().await;
    let code = async |world: &World| world.rest().verify(&us, &token).await.refusal().1;
    assert_eq!(code(&world).await, "token_revoked");

    world.restart(8).await;
    assert_eq!(code(&world).await, "token_expired");
    assert!(world.jumps("ahead").await);
    world.clock.0.store(0, Ordering::SeqCst);
    assert_eq!(code(&world).await, "token_revoked", "the clock came back");
    world.restart(0).await;
    assert_eq!(code(&world).await, "token_revoked", "after a restart, too");
    assert!(world.jumps("back").await);
}

#[tokio::test]
async fn a_start_with_the_clock_far_ahead_drops_no_history_and_the_one_after_it_neither() {
    let mut world = World::start("[history]\nkeep = \"1h\"\nkeep_audit = \"1h\"\n").await;
    let stream =
        world.rest().post("/login", json!({})).await.data()["stream_id"].as_str().unwrap().to_owned();
    world.rest().delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
    world.rest().post("/keys/rotate", json!({})).await.data();
    let before = ["streams", "events", "audit"].map(|table| world.count(table));
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    for _ in 0..2 {
        world.restart(400).await;
        assert_eq!(["streams", "events", "audit"].map(|table| world.count(table)), before);
    }
    world.restart(0).await;
    assert_eq!(world.rest().get(&format!("/events/{stream}")).await.status, 200);
}

#[tokio::test]
async fn a_clock_that_is_ahead_rotates_no_keys_and_loses_none() {
    let mut world = World::start("").await;
    world.rest().post("/keys/rotate", json!({})).await.data();
    let kids = async |world: &World| world.rest().get("/keys").await.data()["keys"].clone();
    let before = kids(&world).await;
    for _ in 0..2 {
        world.restart(400).await;
        // What rotates on schedule does so at the start, and before a request by the same lock.
        assert_eq!(kids(&world).await, before);
        world.restart(0).await;
        assert_eq!(kids(&world).await, before);
    }
    world.restart(400).await;
    world.rest().post("/keys/rotate", json!({})).await.data();
    let after = kids(&world).await;
    let retired = before.as_array().unwrap().iter().map(|key| key["kid"].clone());
    for kid in retired {
        let known = after.as_array().unwrap().iter().any(|key| key["kid"] == kid);
        assert!(known, "an operator who rotates then loses none either: {kid}");
    }
}

/// A new key signs in at this daemon.
async fn sign_in(world: &World, keys: &Keys) -> Answer {
    let secs = world.clock.now().secs();
    let credential = signed::at(secs, keys, "POST", "https://app.example/enter", None);
    let request = json!({ "method": "POST", "target": "/enter" });
    let ask = json!({ "provider": "nip98", "credential": credential, "request": request });
    world.rest().post("/auth/login", ask).await
}

#[tokio::test]
async fn a_user_of_a_throw_away_key_is_deleted_in_time_and_one_whom_an_operator_changed_stays() {
    /// Less than an absence that makes a daemon doubt its clock.
    const HOP: u64 = 50 * 60;

    let config = |sign_up: &str| {
        format!(
            "[sessions]\nenabled = true\nsign_up = \"{sign_up}\"\n[wallets.nip98]\npublic_url = \
             \"https://app.example\"\n[history]\nkeep = \"1h\"\nkeep_users = \"1h\"\n"
        )
    };
    let mut world = World::start(&config("open")).await;
    let (throw_away, changed) = (Keys::generate(), Keys::generate());
    let mut ids = Vec::new();
    for keys in [&throw_away, &changed] {
        let begun = sign_in(&world, keys).await.data();
        let [user, session] = ["user", "session"].map(|of| begun[of]["id"].as_str().unwrap().to_owned());
        world.rest().delete(&format!("/sessions/{session}"), json!({})).await.data();
        ids.push(user);
    }
    world.rest().patch(&format!("/users/{}", ids[1]), json!({ "roles": ["member"] })).await.data();
    let status = async |world: &World, id: &str| world.rest().get(&format!("/users/{id}")).await.status;
    world.restart_ahead(HOP).await;
    assert_eq!(status(&world, &ids[0]).await, 200, "not yet");
    for hops in [2, 3] {
        world.restart_ahead(hops * HOP).await;
    }
    assert_eq!(status(&world, &ids[0]).await, 404);
    assert_eq!(status(&world, &ids[1]).await, 200);
    let audit = world.rest().get("/audit?kind=user_deleted").await.data()["records"].clone();
    assert_eq!(audit.as_array().unwrap().len(), 1, "{audit}");
    assert_eq!((&audit[0]["user_id"], &audit[0]["reason"]), (&json!(ids[0]), &json!("unused")));

    std::fs::write(world.folder.path().join("portico.toml"), config("listed")).unwrap();
    world.restart_ahead(3 * HOP).await;
    assert_eq!(sign_in(&world, &throw_away).await.refusal(), refused(403, "user_not_listed"));
    let invitation = json!({ "provider": "nip98", "wallet_id": throw_away.public_key() });
    let invited = world.rest().post("/users", invitation).await.data()["user"]["id"].clone();
    assert_eq!(sign_in(&world, &throw_away).await.data()["user"]["id"], invited);
    assert_ne!(invited, json!(ids[0]));
    assert_eq!(sign_in(&world, &changed).await.data()["user"]["id"], json!(ids[1]));
}
