//! Backups made of a daemon at work, and the way back to them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;

use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::Daemon;

use crate::support::program::{Finished, finished, portico};
use crate::support::relay::TestRelay;

/// `portico backup` or `portico restore`, of the data of this daemon.
async fn run(daemon: &Daemon, verb: &str, file: &Path) -> Finished {
    let mut command = portico(daemon.folder());
    command.arg(verb).arg(file).arg("--data-dir").arg(daemon.folder().join("data"));
    command.arg("--key-file").arg(daemon.folder().join("service.key"));
    finished(command).await
}

async fn backed_up(daemon: &Daemon) -> PathBuf {
    let file = daemon.folder().join("a.backup");
    let made = run(daemon, "backup", &file).await;
    assert_eq!(made.code, 0, "{made:?}");
    file
}

async fn log_in(daemon: &Daemon) -> String {
    let (mut phone, asked, stream) = asked_to_log_in(daemon).await;
    phone.approve(&asked).await;
    daemon.ended(&stream).await;
    stream
}

fn count(database: &Path, sql: &str) -> u32 {
    Connection::open(database).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Everything in the data folder but the lock, by name and content.
fn contents(daemon: &Daemon) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(daemon.folder().join("data")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn what_happened_before_a_backup_is_there_after_its_restore_and_what_came_later_is_kept_aside() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    let before = log_in(&daemon).await;
    let (wall, _) = daemon.rest().login(json!({ "static_token": "wall" })).await;
    let told = daemon.rest().events(&before).await;
    let file = backed_up(&daemon).await;
    let later = log_in(&daemon).await;
    assert!(daemon.terminate().await.success());

    let restored = run(&daemon, "restore", &file).await;
    assert!(
        restored.code == 0 && restored.stdout.contains("logouts, disabled users and changed roles"),
        "{restored:?}"
    );
    let daemon = daemon.restart().await;
    assert_eq!(daemon.rest().events(&before).await, told, "session tokens and all");
    assert_eq!(daemon.rest().get(&format!("/events/{later}")).await.status, 404);
    assert_eq!(daemon.rest().login(json!({ "static_token": "wall" })).await.0, wall);
    log_in(&daemon).await;

    let replaced = contents(&daemon).into_iter().find(|(name, _)| name.starts_with("portico.db.replaced-"));
    let replaced = daemon.folder().join("data").join(replaced.expect("it is kept").0);
    assert_eq!(count(&replaced, "SELECT count(*) FROM streams WHERE ended_at IS NOT NULL"), 2);
    assert_eq!(
        count(
            &daemon.folder().join("data/portico.db"),
            "SELECT count(*) FROM sqlite_schema WHERE name = 'backup'"
        ),
        0
    );
}

#[tokio::test]
async fn a_backup_under_load_holds_all_that_was_acknowledged_and_nothing_by_halves() {
    let daemon = Daemon::offline().start().await;
    let acknowledged = |range: std::ops::Range<u32>| {
        let rest = daemon.rest();
        async move {
            let mut streams = Vec::new();
            for _ in range {
                streams.push(rest.login(json!({})).await.1);
            }
            streams
        }
    };
    let before = acknowledged(0..50).await;
    let load = futures_util::future::join_all((0..8).map(|_| acknowledged(0..40)));
    let (file, _) = tokio::join!(backed_up(&daemon), load);

    let copy = Connection::open(&file).unwrap();
    let sound: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    for stream in before {
        let hex = stream.replace('-', "");
        let found = format!("SELECT count(*) FROM handshakes WHERE hex(stream) = upper('{hex}')");
        assert_eq!(count(&file, &found), 1, "{stream}");
    }
    // A stream and its handshake are written together, or not at all.
    let halves = "SELECT count(*) FROM streams WHERE id NOT IN (SELECT stream FROM handshakes)";
    assert_eq!(count(&file, halves), 0);
}

#[tokio::test]
async fn the_log_of_a_daemon_that_was_killed_is_in_the_backup_too() {
    let mut daemon = Daemon::offline().start().await;
    let (_, stream) = daemon.rest().login(json!({})).await;
    daemon.kill_9().await;
    let untouched = contents(&daemon);
    let file = backed_up(&daemon).await;
    assert_eq!(count(&file, "SELECT count(*) FROM streams"), 1, "{stream}");
    let main = |all: Vec<(String, Vec<u8>)>| all.into_iter().filter(|(name, _)| !name.ends_with("-shm"));
    assert!(main(contents(&daemon)).eq(main(untouched)), "a backup changes nothing");
}

#[tokio::test]
async fn a_thief_of_a_backup_finds_neither_the_key_nor_a_token_in_it_and_no_other_user_reads_it() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let stream = log_in(&daemon).await;
    let token =
        daemon.rest().events(&stream).await[1]["status"]["session_token"].as_str().unwrap().to_owned();
    let file = backed_up(&daemon).await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&file).unwrap();
    let signature = token.rsplit('.').next().unwrap().to_owned();
    for secret in [daemon.secret(), signature] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    let left: Vec<_> =
        fs::read_dir(daemon.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().contains("-backup-")), "{left:?}");
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_is_restored_under_a_daemon_that_runs() {
    let daemon = Daemon::offline().start().await;
    let file = backed_up(&daemon).await;
    let before = fs::read(&file).unwrap();
    let again = run(&daemon, "backup", &file).await;
    assert!(again.code == 64 && again.stderr.contains("already exists"), "{again:?}");
    assert_eq!(fs::read(&file).unwrap(), before);
    let restored = run(&daemon, "restore", &file).await;
    assert!(restored.code == 69 && restored.stderr.contains("stop it first"), "{restored:?}");
    let nowhere = run(&daemon, "backup", Path::new("/nonexistent/folder/file")).await;
    assert!(nowhere.code == 69 && nowhere.stderr.contains("/nonexistent/folder"), "{nowhere:?}");
    daemon.rest().login(json!({})).await;
}

#[tokio::test]
async fn a_file_that_is_damaged_foreign_newer_or_another_services_is_refused_and_nothing_is_touched() {
    let mut daemon = Daemon::offline().start().await;
    for _ in 0..50 {
        daemon.rest().login(json!({})).await;
    }
    let file = backed_up(&daemon).await;
    daemon.terminate().await;
    let before = contents(&daemon);
    let at = |name: &str| daemon.folder().join(name);

    let mut bytes = fs::read(&file).unwrap();
    let page = bytes.len() / 2 / 4096 * 4096;
    bytes[page..page + 4096].fill(0xa5);
    fs::write(at("damaged"), &bytes).unwrap();
    fs::write(at("foreign"), "not a database at all\n".repeat(500)).unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::copy(&file, at("newer")).unwrap();
    Connection::open(at("newer")).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    fs::copy(&file, at("another")).unwrap();
    Connection::open(at("another"))
        .unwrap()
        .execute("UPDATE backup SET service = ?1", ["ab".repeat(32)])
        .unwrap();
    fs::copy(&file, at("in-use")).unwrap();
    fs::write(at("in-use-wal"), "what is missing").unwrap();

    for (name, code, why) in [
        ("damaged", 1, "damaged"),
        ("foreign", 1, "not an SQLite database"),
        ("empty", 1, "is empty"),
        ("newer", 1, "newer version"),
        ("another", 1, "of service abab"),
        ("in-use", 64, "in use"),
        ("missing", 64, "missing"),
    ] {
        let refused = run(&daemon, "restore", &at(name)).await;
        assert!(refused.code == code && refused.stderr.contains(why), "{name}: {refused:?}");
        assert_eq!(contents(&daemon), before, "{name}");
    }
    let restored = run(&daemon, "restore", &file).await;
    assert_eq!(restored.code, 0, "{restored:?}");
}

#[tokio::test]
async fn a_backup_in_an_empty_folder_waits_for_its_own_key() {
    let mut daemon = Daemon::on(&[]).start().await;
    let us = daemon.public_key().await;
    let file = backed_up(&daemon).await;
    daemon.terminate().await;
    fs::remove_dir_all(daemon.folder().join("data")).unwrap();
    let key = daemon.folder().join("service.key");
    fs::rename(&key, daemon.folder().join("elsewhere")).unwrap();
    let restored = run(&daemon, "restore", &file).await;
    assert!(restored.code == 0 && restored.stderr.contains("Before you start the daemon"), "{restored:?}");
    assert!(restored.stderr.contains(&us) && restored.stderr.contains("service.key"), "{restored:?}");

    let (code, said) = daemon.refusal_to_restart().await;
    assert!(code == 64 && said.contains(&us), "{code}: {said}");
    fs::rename(daemon.folder().join("elsewhere"), key).unwrap();
    let restored = run(&daemon, "restore", &file).await;
    assert!(restored.code == 0 && restored.stderr.is_empty(), "nothing is missing: {restored:?}");
    assert_eq!(daemon.restart().await.public_key().await, us);
}

#[tokio::test]
async fn what_root_restores_belongs_to_the_user_that_the_daemon_runs_as() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED with another uid: that takes root");
        return;
    }
    let mut daemon = Daemon::on(&[]).start().await;
    let file = backed_up(&daemon).await;
    daemon.terminate().await;
    let data = daemon.folder().join("data");
    fs::remove_dir_all(&data).unwrap();
    fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(65534), Some(65534)).unwrap();
    let restored = run(&daemon, "restore", &file).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let made = fs::metadata(&path).unwrap();
        assert_eq!((made.uid(), made.mode() & 0o777), (65534, 0o600), "{}", path.display());
    }
}

#[tokio::test]
async fn a_restore_that_a_crash_interrupted_is_ended_by_the_next_start() {
    let mut daemon = Daemon::offline().start().await;
    daemon.rest().login(json!({})).await;
    let file = backed_up(&daemon).await;
    let (_, later) = daemon.rest().login(json!({})).await;
    daemon.kill_9().await;
    let data = daemon.folder().join("data");
    // As far as a restore comes before the first of its last renamings.
    fs::copy(&file, data.join("portico.db.restored-T")).unwrap();
    fs::write(data.join(".portico-restore-x"), "of one that came less far").unwrap();

    let daemon = daemon.restart().await;
    assert_eq!(daemon.rest().get(&format!("/events/{later}")).await.status, 404);
    assert_eq!(count(&data.join("portico.db"), "SELECT count(*) FROM streams"), 1);
    assert_eq!(count(&data.join("portico.db.replaced-T"), "SELECT count(*) FROM streams"), 2, "with its log");
    assert!(!data.join(".portico-restore-x").exists());
}
