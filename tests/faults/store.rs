//! The store is taken away from a daemon that runs, and given back: nothing that was acknowledged and nothing
//! that a wallet sent meanwhile is lost, and nothing is damaged.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use nostr_sdk::Keys;
use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};

use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::program::{finished, portico_for_all};
use crate::support::relay::TestRelay;
use crate::support::rest::refused;
use crate::support::soon;

/// What the log says when a wallet's message has to wait for the store.
const WAITS: &str = "a wallet's message waits for it";

/// The database, locked by this process as another one that has business with it.
fn lock(daemon: &Daemon) -> Connection {
    let other = Connection::open(daemon.database()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    other
}

/// No file of the daemon's may be longer than this, in bytes, as on a disk that is full.
fn limit_files(daemon: &Daemon, bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let limit = Rlimit { current: bytes.or(maximum), maximum };
    prlimit(Pid::from_raw(daemon.pid() as i32), Resource::Fsize, limit).unwrap();
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// SQLite finds nothing wrong with the file.
fn assert_sound(daemon: &Daemon) {
    let db = Connection::open(daemon.database()).unwrap();
    let found: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

/// Callers and monitoring learn what is wrong, and no internals.
async fn assert_says_so(daemon: &Daemon) {
    for answer in [daemon.rest().post("/login", json!({})).await, daemon.rest().get("/ready").await] {
        assert_eq!(answer.refusal(), refused(503, "store_unavailable"));
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("store") && !error.contains("portico.db"), "{error}");
        for internal in ["database", "disk", "I/O", "os error"] {
            assert!(!error.contains(internal), "{error}");
        }
    }
    daemon.until_logged("request failed").await;
}

/// Takes the store away with `take`, has wallets send all that they can send, gives it back with `give`, and
/// sees everything have its effect.
async fn nothing_that_wallets_send_is_lost<T>(
    daemon: &Daemon,
    relay: &TestRelay,
    take: impl FnOnce(&Daemon) -> T,
    give: impl FnOnce(&Daemon, T),
) {
    let (rest, main) = (daemon.rest(), Keys::generate());
    let [mut approving, mut declining, mut scanning] = [Phone::new(), Phone::new(), Phone::new()];
    let mut proving = Phone::on_subkey_of(&main);
    for phone in [&mut approving, &mut declining, &mut proving] {
        phone.connect(&relay.url()).await;
    }
    let approved = rest.authenticate(approving.key()).await;
    let declined = rest.authenticate(declining.key()).await;
    let proven = rest.authenticate(main.public_key()).await;
    let (url, scanned) = rest.login(json!({})).await;
    let question = approving.challenge().await;
    let unwelcome = declining.challenge().await;
    let unreadable = proving.message().await;

    let taken = take(daemon);
    approving.approve(&question).await;
    declining.decline(&unwelcome, None).await;
    scanning.scan(&url).await;
    let proof = proving.proof().clone();
    proving.prove(&unreadable, &proof).await;
    daemon.until_logged(WAITS).await;
    assert_says_so(daemon).await;
    for stream in [&approved, &declined, &proven, &scanned] {
        assert_eq!(rest.events(stream).await, [] as [Value; 0], "nobody hears what is not stored");
    }

    give(daemon, taken);
    let status = async |stream: &str| daemon.ended(stream).await.pop().unwrap()["status"]["status"].take();
    assert_eq!(status(&approved).await, "approved");
    assert_eq!(status(&declined).await, "declined");
    let question = scanning.challenge().await;
    scanning.approve(&question).await;
    assert_eq!(status(&scanned).await, "approved");
    let question = proving.challenge().await;
    proving.approve(&question).await;
    assert_eq!(status(&proven).await, "approved");
    assert_eq!(rest.get("/ready").await.status, 200, "it has recovered by itself");
    assert_sound(daemon);
}

#[tokio::test]
async fn a_database_that_another_process_locks_loses_no_wallets_answer() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    nothing_that_wallets_send_is_lost(&daemon, &relay, lock, |_, other| drop(other)).await;
}

#[tokio::test]
async fn a_full_disk_loses_no_wallets_answer() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (fill, free) =
        (|daemon: &Daemon| limit_files(daemon, Some(0)), |daemon: &Daemon, ()| limit_files(daemon, None));
    nothing_that_wallets_send_is_lost(&daemon, &relay, fill, free).await;
}

#[tokio::test]
async fn a_disk_that_fills_up_under_load_keeps_what_was_acknowledged() {
    let mut daemon = Daemon::offline().start().await;
    let log = daemon.folder().join("data/portico.db-wal");
    let room = length(&daemon.database()).max(length(&log)) + 100_000;
    limit_files(&daemon, Some(room));
    let mut acknowledged = Vec::new();
    // Reads whole pages into the log: each takes some kilobytes of the room that is left.
    let refusal = soon("the disk to be full", async {
        loop {
            let answer = daemon.rest().post("/login", json!({})).await;
            if answer.status != 201 {
                return answer.refusal();
            }
            acknowledged.push(answer.data()["stream_id"].as_str().unwrap().to_owned());
        }
    });
    assert_eq!(refusal.await, refused(503, "store_unavailable"));
    daemon.until_logged("the store is unavailable").await;
    let told = daemon.log().lines().filter(|line| line.contains("the store is unavailable")).count();
    assert_eq!(told, 1, "one line for one request: {}", daemon.log());
    assert!(!acknowledged.is_empty(), "it was not full from the start");
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    assert_sound(&daemon);
    for stream in &acknowledged {
        assert!(daemon.rest().events(stream).await.is_empty(), "it is there, and open");
    }
    daemon.rest().login(json!({})).await;
}

#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nothing() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    daemon.stop_reading_the_log().await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.approve(&asked).await;
    assert_eq!(daemon.ended(&stream).await.len(), 2);
    assert!(daemon.terminate().await.success());
}

#[tokio::test]
async fn a_read_only_file_is_named_at_the_start_and_harms_nothing() {
    let mut daemon = Daemon::offline().where_others_can_look().start().await;
    let (_, stream) = daemon.rest().login(json!({})).await;
    assert!(daemon.terminate().await.success());
    let (data, database) = (daemon.folder().join("data"), daemon.database());
    let allow = |folder: u32, file: u32| {
        std::fs::set_permissions(&database, Permissions::from_mode(file)).unwrap();
        std::fs::set_permissions(&data, Permissions::from_mode(folder)).unwrap();
    };

    allow(0o500, 0o400);
    let mut command = daemon.command();
    if nix::unistd::geteuid().is_root() {
        // No permission keeps root from writing, so somebody else is to try.
        const SOMEBODY_ELSE: u32 = 65534;
        let mut files = vec![daemon.folder().to_owned()];
        while let Some(file) = files.pop() {
            chown(&file, Some(SOMEBODY_ELSE), Some(SOMEBODY_ELSE)).unwrap();
            if file.is_dir() {
                files.extend(std::fs::read_dir(&file).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        let arguments: Vec<_> = command.as_std().get_args().map(ToOwned::to_owned).collect();
        command = portico_for_all(daemon.folder());
        command.args(arguments).uid(SOMEBODY_ELSE).gid(SOMEBODY_ELSE);
    }
    let refusal = finished(command).await;
    assert_eq!(refusal.code, 69, "{refusal:?}");
    assert!(
        refusal.stderr.contains("portico.db") && refusal.stderr.contains("readonly database"),
        "{refusal:?}"
    );

    allow(0o700, 0o600);
    if nix::unistd::geteuid().is_root() {
        let data = ["portico.db", "portico.lock", "service.pub", "access-keys.json"];
        let data = data.into_iter().map(|name| format!("data/{name}"));
        let beside = ["", "data", "service.key", "portico.toml", "relays.toml"];
        for file in data.chain(beside.map(str::to_owned)) {
            chown(daemon.folder().join(file), Some(0), Some(0)).unwrap();
        }
    }
    let daemon = daemon.restart().await;
    assert!(daemon.rest().events(&stream).await.is_empty(), "it is there, and open");
    assert_sound(&daemon);
}
