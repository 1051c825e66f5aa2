//! The server fails, and comes back. Nothing that was acknowledged is lost, and nobody has to restart the daemon.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::poll;
use portico::store::postgres::{PostgresOptions, PostgresStore};
use portico::store::{Accounts, AuditKind, Logins, SessionChoice, Store, StoreError, StreamId, Upkeep};
use tokio_postgres::NoTls;

use crate::fixtures::*;
use crate::people::*;
use crate::store::{new_database, open, options};
use crate::support::postgres::Postgres;
use crate::support::soon;

/// One that gives up soon.
async fn impatient(url: &str) -> PostgresStore {
    let options = PostgresOptions { patience: Duration::from_secs(1), ..options(url) };
    PostgresStore::open(options).await.unwrap()
}

/// A stream of its own.
fn nth(n: u64) -> StreamId {
    StreamId::new(at(n), [1; 10])
}

fn is_unavailable<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable(_)))
}

/// Asks until the store answers so.
async fn until(store: &dyn Store, available: bool) {
    let asked = async {
        while is_unavailable(&store.check().await) == available {
            tokio::task::yield_now().await;
        }
    };
    soon(if available { "the store works" } else { "the store does not work" }, asked).await;
}

async fn end_other_connections(server: &Postgres, url: &str) {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    server.sql(url, sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_rested_and_were_ended_are_replaced_unnoticed() {
    let (server, url) = (Postgres::start(), new_database().await);
    let store = open(&url).await;
    for n in 0..5 {
        store.open_challenge(&challenge(&n.to_string(), stream(n))).await.unwrap();
        end_other_connections(server, &url).await;
        assert_eq!(recovered(&store).await.challenges.len(), 1);
        store.close_challenge(&n.to_string(), &event("declined", 200), None).await.unwrap().unwrap();
        end_other_connections(server, &url).await;
        store.open_challenge(&challenge(&format!("more {n}"), stream(100 + n))).await.unwrap();
        store.close_challenge(&format!("more {n}"), &event("declined", 200), None).await.unwrap().unwrap();
    }
}

/// Connections end in the middle of everything: what is answered is so, and what is not can be asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_connections_are_ended_each_request_gets_one_outcome_and_the_caller_its_own() {
    let (server, url) = (Postgres::start(), new_database().await);
    let store = open(&url).await;
    let (told, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let writers = join_all((0..4_u64).map(|writer| {
        let (store, told, is_over) = (&store, &told, &is_over);
        async move {
            for n in (0..).map(|n| writer * 1_000_000 + n) {
                store.open_challenge(&challenge(&n.to_string(), nth(n))).await.unwrap();
                let outcome = event(&format!("outcome {n}"), 200);
                let closed = store.close_challenge(&n.to_string(), &outcome, None).await.unwrap();
                let (event, _) = closed.expect("nobody else closes it");
                assert_eq!((event.index, event.body), (1, outcome.body));
                told.fetch_add(1, Ordering::Relaxed);
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }));
    // Each time once they have got on since the last time.
    let killing = async {
        for _ in 0..12 {
            end_other_connections(server, &url).await;
            let before = told.load(Ordering::Relaxed);
            while told.load(Ordering::Relaxed) < before + 8 {
                tokio::task::yield_now().await;
            }
        }
        is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(writers, killing);
    let stored = server.sql(&url, "SELECT count(*) FROM portico.events").await;
    assert_eq!(stored, told.into_inner().to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashed_is_unavailable_and_the_store_goes_on_when_it_is_back() {
    let server = Postgres::alone();
    let store = impatient(&server.database().await).await;
    for round in 0..3 {
        let session = 1 + round;
        begin(&store, session, &person(session)).await;
        server.crash();
        until(&store, false).await;
        assert!(is_unavailable(&store.session(stream(session)).await), "nobody is let in meanwhile");
        let ended = audit(AuditKind::SessionsRevoked, user_id(session), 200);
        let all = SessionChoice::AllOf(user_id(session));
        assert!(is_unavailable(&store.end_sessions(all, &why("logout", 200), &ended).await));

        server.revive();
        until(&store, true).await;
        assert!(store.session(stream(session)).await.unwrap().unwrap().ended.is_none());
        assert_eq!(store.end_sessions(all, &why("logout", 200), &ended).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_crash_under_load_everything_that_was_acknowledged_is_there_once() {
    let server = Postgres::alone();
    let url = server.database().await;
    let store = impatient(&url).await;
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let writers = join_all((0..4_u64).map(|writer| {
        let (store, stop) = (&store, stop.subscribe());
        async move {
            let mut acknowledged = Vec::new();
            for n in (0..).map(|n| writer * 1_000_000 + n) {
                let name = n.to_string();
                if store.open_challenge(&challenge(&name, nth(n))).await.is_ok()
                    && let Ok(Some((event, _))) =
                        store.close_challenge(&name, &event("approved", 200), None).await
                {
                    acknowledged.push((nth(n), event));
                }
                if *stop.borrow() && acknowledged.len() > 20 {
                    return acknowledged;
                }
            }
            unreachable!("it is told to stop")
        }
    }));
    let faults = async {
        for _ in 0..3 {
            server.crash();
            until(&store, false).await;
            server.revive();
            until(&store, true).await;
        }
        stop.send(true).unwrap();
    };
    let (acknowledged, ()) = tokio::join!(writers, faults);
    stopped.changed().await.unwrap();
    for (stream, event) in acknowledged.into_iter().flatten() {
        let page = page(&store, stream).await;
        assert_eq!((page.events, page.ended), (vec![event], true));
    }
    let gaps = "SELECT count(*) FROM portico.streams
        WHERE next_index - 1 <> (SELECT count(*) FROM portico.events WHERE stream = id)";
    assert_eq!(server.sql(&url, gaps).await, "0");
}

/// A demoted primary: it answers reads with what was true before, so it must not answer checks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_is_not_asked_any_more() {
    let server = Postgres::with(&["fsync=off"]);
    let store = impatient(&server.database().await).await;
    begin(&store, 1, &person(1)).await;
    let set = async |to: &str| {
        server.sql("postgres", &format!("ALTER SYSTEM SET default_transaction_read_only = {to}")).await;
        server.sql("postgres", "SELECT pg_reload_conf()").await;
    };
    set("on").await;
    until(&store, false).await;
    let asked = async {
        while !is_unavailable(&store.session(stream(1)).await) {
            tokio::task::yield_now().await;
        }
    };
    soon("checks are refused", asked).await;
    assert!(is_unavailable(&store.open_handshake(&handshake(stream(3))).await));

    set("off").await;
    until(&store, true).await;
    assert!(store.session(stream(1)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_another_program_makes_writes_unavailable_until_it_goes_and_reads_go_on() {
    let url = new_database().await;
    let store = impatient(&url).await;
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    let (other, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    other.batch_execute("BEGIN; LOCK TABLE portico.handshakes IN SHARE MODE").await.unwrap();

    assert!(is_unavailable(&store.open_handshake(&handshake(stream(2))).await));
    assert_eq!(recovered(&store).await.handshakes.len(), 1);
    assert!(page(&store, stream(1)).await.events.is_empty());

    other.batch_execute("ROLLBACK").await.unwrap();
    store.open_handshake(&handshake(stream(2))).await.unwrap();
    drop(other);
    connection.await.unwrap().unwrap();
}

/// The daemon's own invariant 5: what a caller asked for runs to its end even if the caller disconnects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_caller_has_gone_is_done_all_the_same() {
    let url = new_database().await;
    let store = open(&url).await;
    for n in 0..50 {
        store.open_challenge(&challenge(&n.to_string(), stream(n))).await.unwrap();
        let name = n.to_string();
        let outcome = event("approved", 200);
        let mut closing = Box::pin(store.close_challenge(&name, &outcome, None));
        assert!(poll!(closing.as_mut()).is_pending());
    }
    store.close().await;
    let store = open(&url).await;
    for n in 0..50 {
        assert!(page(&store, stream(n)).await.ended);
    }
}
