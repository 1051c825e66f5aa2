//! What only a file can do: be foreign, be locked, be reopened.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portico::store::sqlite::{SqliteOptions, SqliteStore};
use portico::store::{
    Accounts, AuditKind, Challenge, Deliveries, Logins, SessionChoice, Store, StoreError, Streams, Upkeep,
    User,
};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fixtures::*;
use crate::model::{assert_told_alike, calls};
use crate::people::*;

conformance!(crate::sqlite::empty);

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(calls in calls()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let open = async || Box::new(open(&file_in(&folder)).unwrap()) as Box<dyn Store>;
        runtime.block_on(assert_told_alike(calls, open));
    }
}

/// An empty store in a folder of its own.
pub(crate) async fn empty() -> (Box<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file_in(&folder)).unwrap();
    (Box::new(store), folder)
}

fn file_in(folder: &TempDir) -> PathBuf {
    folder.path().join("portico.db")
}

/// Locks are waited for only briefly here.
fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    let options = SqliteOptions {
        busy_timeout: Duration::from_millis(20),
        owes_deliveries: true,
        ..Default::default()
    };
    SqliteStore::open(path, options)
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_the_store_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file_in(&folder)).unwrap();
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    store.open_challenge(&challenge("c", stream(2))).await.unwrap();
    store.end_stream(stream(2), &event("error", 300)).await.unwrap().unwrap();
    store.open_challenge(&challenge("d", stream(3))).await.unwrap();
    let before = (recovered(&store).await, page(&store, stream(2)).await);
    drop(store);

    let store = open(&file_in(&folder)).unwrap();
    assert_eq!((recovered(&store).await, page(&store, stream(2)).await), before);
    assert_eq!(before.0.challenges, [challenge("d", stream(3))]);
}

#[tokio::test]
async fn users_sessions_and_the_audit_are_there_after_the_store_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file_in(&folder)).unwrap();
    store.open_challenge(&Challenge { is_login: true, ..challenge("c", stream(9)) }).await.unwrap();
    begin(&store, 1, &person(1)).await;
    begin(&store, 2, &person(1)).await;
    let revoked = audit(AuditKind::SessionsRevoked, user_id(1), 200);
    let which = SessionChoice::One(stream(1));
    store.end_sessions(which, &why("logout", 200), &revoked).await.unwrap();
    drop(store);

    let store = open(&file_in(&folder)).unwrap();
    assert_eq!(store.user(user_id(1)).await.unwrap().as_deref(), Some(&User { logins: 2, ..person(1) }));
    let expected = [(stream(2), None), (stream(1), Some("logout".to_owned()))];
    assert_eq!(sessions(&store, user_id(1)).await, expected);
    assert_eq!(audited(&store).await.last(), Some(&ended(stream(1), "logout", &revoked)));
    assert!(recovered(&store).await.challenges[0].is_login);
    let again = store.end_sessions(which, &why("logout", 201), &revoked).await.unwrap();
    assert_eq!(again, [], "a logout holds");
}

#[tokio::test]
async fn what_is_owed_outlives_the_process_and_only_a_store_that_is_told_to_owes() {
    let folder = tempfile::tempdir().unwrap();
    let without = SqliteStore::open(&file_in(&folder), SqliteOptions::default()).unwrap();
    without.open_challenge(&challenge("c", stream(1))).await.unwrap();
    without.end_stream(stream(1), &event("error", 300)).await.unwrap().unwrap();
    assert!(without.heads(9).await.unwrap().is_empty());
    drop(without);

    let store = open(&file_in(&folder)).unwrap();
    store.open_challenge(&challenge("d", stream(2))).await.unwrap();
    store.end_stream(stream(2), &event("error", 300)).await.unwrap().unwrap();
    let owed = store.heads(9).await.unwrap();
    assert_eq!(owed.len(), 1);
    drop(store);
    assert_eq!(open(&file_in(&folder)).unwrap().heads(9).await.unwrap(), owed);
}

#[tokio::test]
async fn two_stores_on_one_file_obey_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default();
    let one = SqliteStore::open(&file_in(&folder), options.clone()).unwrap();
    let other = SqliteStore::open(&file_in(&folder), options).unwrap();
    let (approved, timed_out) = (event("approved", 200), event("timed_out", 200));
    for n in 0..20 {
        let name = n.to_string();
        one.open_challenge(&challenge(&name, stream(n))).await.unwrap();
        let (first, second) = tokio::join!(
            one.close_challenge(&name, &approved, None),
            other.close_challenge(&name, &timed_out, None),
        );
        assert!(first.unwrap().is_some() != second.unwrap().is_some());
        assert_eq!(page(&one, stream(n)).await, page(&other, stream(n)).await);
    }
}

#[tokio::test]
async fn a_closed_store_leaves_one_file_and_its_folder_to_their_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/state/portico.db");
    let store = open(&path).unwrap();
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in ["portico.db", "portico.db-wal", "portico.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
    assert_eq!(mode(path.parent().unwrap()), 0o700);

    store.close().await;
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(&folder);
    open(&path).unwrap().close().await;
    // Without a write-ahead log, so that turning it on would be seen.
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA journal_mode = delete; PRAGMA user_version = 99")
        .unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(open(&path).unwrap_err(), StoreError::Newer { found: 99, known: 11 });
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_of_another_program_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(&folder);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bookmarks (url)").unwrap();
    assert_refused(&path, "another program");
}

#[test]
fn a_file_that_is_no_database_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    for content in ["hello", "a longer text, longer than a page of SQLite's\n".repeat(200).as_str()] {
        fs::write(file_in(&folder), content).unwrap();
        assert_refused(&file_in(&folder), "not an SQLite database");
    }
}

fn assert_refused(path: &Path, why: &str) {
    let before = fs::read(path).unwrap();
    let Err(StoreError::Corrupt(text)) = open(path) else { panic!("it was opened") };
    assert!(text.contains(why) && text.contains(&path.display().to_string()), "{text}");
    assert_eq!(fs::read(path).unwrap(), before);
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_corrupt_and_hurts_no_other_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file_in(&folder)).unwrap();
    store.open_challenge(&challenge("c", stream(1))).await.unwrap();
    let vandal = Connection::open(file_in(&folder)).unwrap();
    vandal.execute("UPDATE challenges SET envelopes = '[[\"no key\", 1]]'", []).unwrap();
    let damaged = store.recover(at(0)).await;
    assert!(matches!(damaged, Err(StoreError::Corrupt(_))), "{damaged:?}");
    assert!(store.events_after(stream(1), 0, 1).await.unwrap().is_some());
}

#[tokio::test]
async fn a_lock_of_another_process_makes_writes_unavailable_until_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file_in(&folder)).unwrap();
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    let other = Connection::open(file_in(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let write = store.open_handshake(&handshake(stream(2))).await;
    assert!(matches!(write, Err(StoreError::Unavailable(_))), "{write:?}");
    assert_eq!(recovered(&store).await.handshakes.len(), 1, "reads go on");

    other.execute_batch("ROLLBACK").unwrap();
    store.open_handshake(&handshake(stream(2))).await.unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_or_written_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = open(&file.join("portico.db")).unwrap_err();
    assert!(matches!(&refused, StoreError::Unavailable(text) if text.contains("file/portico.db")));

    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    // Permissions do not bind root.
    if !nix::unistd::geteuid().is_root() {
        assert!(matches!(open(&locked.join("portico.db")), Err(StoreError::Unavailable(_))));
    }
}
