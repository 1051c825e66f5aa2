//! The server of these tests keeps apart what tests store, survives crashes, and ends with its tests.

use std::fs;

use crate::support::postgres::{Postgres, USER};

#[tokio::test]
async fn each_database_is_new_and_empty() {
    let server = Postgres::start();
    let (one, other) = (server.database().await, server.database().await);
    assert_ne!(one, other);
    server.sql(&one, "CREATE TABLE t (n int)").await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!((&*server.sql(&one, tables).await, &*server.sql(&other, tables).await), ("1", "0"));
    assert_eq!(server.sql(&other, "SELECT current_user").await, USER);
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_crash_of_the_server() {
    let server = Postgres::alone();
    assert_eq!(server.sql("postgres", "SHOW fsync").await, "on");
    let url = server.database().await;
    server.sql(&url, "CREATE TABLE t (n int); INSERT INTO t VALUES (7)").await;
    server.crash();
    server.revive();
    assert_eq!(server.sql(&url, "SELECT n FROM t").await, "7");
}

/// The process ids of servers with data below this folder.
fn servers_in(folder: &str) -> Vec<String> {
    let of = |entry: fs::DirEntry| {
        let called = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        called.contains(folder).then(|| entry.file_name().into_string().unwrap())
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(of).collect()
}

#[tokio::test]
async fn a_server_ends_with_its_tests_even_if_they_are_killed_and_leaves_nothing() {
    let mut server = Postgres::alone();
    let folder = server.folder().to_owned();
    let named = folder.to_str().unwrap();
    assert!(!servers_in(named).is_empty() && folder.join("data/PG_VERSION").exists());
    server.abandon();
    server.ended();
    assert_eq!(servers_in(named), Vec::<String>::new());
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_test_that_panics_takes_its_server_along() {
    let server = Postgres::alone();
    let folder = server.folder().to_owned();
    let panicked = tokio::spawn(async move {
        let _server = server;
        panic!("a test fails");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(servers_in(folder.to_str().unwrap()), Vec::<String>::new());
    assert!(!folder.exists());
}
