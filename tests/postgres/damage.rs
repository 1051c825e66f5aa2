//! Tables that somebody else has changed, or that are not Portico's.

use futures_util::future::join_all;
use portico::store::postgres::PostgresStore;
use portico::store::{
    Accounts, AuditFilter, KeyStore, KeysError, KnownWallets, Logins, StoreError, Streams, Upkeep,
};

use crate::fixtures::*;
use crate::people::*;
use crate::store::{new_database, open, options};
use crate::support::postgres::Postgres;

async fn sql(url: &str, sql: &str) -> String {
    Postgres::start().sql(url, &format!("SET search_path = portico; {sql}")).await
}

async fn refused(url: &str) -> StoreError {
    PostgresStore::open(options(url)).await.unwrap_err()
}

/// How many steps lead to the newest schema.
fn steps() -> u32 {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    std::fs::read_dir(folder).unwrap().count() as u32
}

fn is_corrupt<T>(answer: Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Corrupt(_)))
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused_untouched() {
    let url = new_database().await;
    open(&url).await.close().await;
    sql(&url, "UPDATE schema_version SET version = 99; DROP TABLE replays").await;
    assert_eq!(refused(&url).await, StoreError::Newer { found: 99, known: steps() });
    assert_eq!(sql(&url, "SELECT count(*) FROM pg_tables WHERE tablename = 'replays'").await, "0");
}

#[tokio::test]
async fn a_schema_of_another_program_is_refused_untouched() {
    let url = new_database().await;
    Postgres::start().sql(&url, "CREATE SCHEMA portico; CREATE TABLE portico.bookmarks (url text)").await;
    let error = refused(&url).await;
    assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("another program")), "{error}");
    assert_eq!(sql(&url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'portico'").await, "1");
}

#[tokio::test]
async fn a_schema_that_an_administrator_made_is_used_and_the_tables_of_the_app_are_left_alone() {
    let url = new_database().await;
    let prepared =
        "CREATE SCHEMA portico; CREATE TABLE public.users (id int); CREATE TABLE public.sessions (id int)";
    Postgres::start().sql(&url, prepared).await;
    let store = open(&url).await;
    begin(&store, 1, &person(1)).await;
    assert_eq!(sql(&url, "SELECT count(*) FROM public.users").await, "0");
    assert_eq!(sql(&url, "SELECT count(*) FROM users").await, "1");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unavailable_and_named_without_its_user() {
    let url = Postgres::start().url("nowhere");
    let error = refused(&url).await.to_string();
    assert!(error.contains("/nowhere: ") && error.contains("does not exist"), "{error}");
    assert!(!error.contains("portico@"), "{error}");
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let server = Postgres::start();
    let made = "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    server.sql("postgres", made).await;
    let error = refused(&server.url("latin")).await.to_string();
    assert!(error.contains("LATIN1"), "{error}");
}

#[tokio::test]
async fn of_ten_daemons_that_start_on_an_empty_database_each_finds_the_tables() {
    let url = new_database().await;
    let stores = join_all((0..10).map(|_| PostgresStore::open(options(&url)))).await;
    for (n, store) in (0..).zip(stores) {
        store.unwrap().open_handshake(&handshake(stream(n))).await.unwrap();
    }
    assert_eq!(sql(&url, "SELECT version FROM schema_version").await, steps().to_string());
    assert_eq!(sql(&url, "SELECT count(*) FROM handshakes").await, "10");
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_corrupt_and_hurts_no_other_read() {
    let url = new_database().await;
    let store = open(&url).await;
    store.open_challenge(&challenge("c", stream(9))).await.unwrap();
    store.close_challenge("c", &event("approved", 200), Some(&approval(7))).await.unwrap().unwrap();
    store.open_handshake(&handshake(stream(8))).await.unwrap();
    begin(&store, 1, &person(1)).await;
    begin(&store, 2, &person(2)).await;

    sql(&url, "UPDATE users SET revision = -1 WHERE wallet_id = 'wallet 1'").await;
    assert!(is_corrupt(store.user(user_id(1)).await));
    sql(&url, "UPDATE users SET revision = 1, roles = '{NULL}' WHERE wallet_id = 'wallet 1'").await;
    assert!(is_corrupt(store.user(user_id(1)).await));
    let first = "(SELECT id FROM users WHERE wallet_id = 'wallet 1')";
    sql(&url, &format!("UPDATE sessions SET credential = 'short' WHERE user_id = {first}")).await;
    assert!(is_corrupt(store.session(stream(1)).await));
    sql(&url, "UPDATE audit SET kind = 'payment' WHERE number = 1").await;
    assert!(is_corrupt(store.audit(&AuditFilter::default(), None, 9).await));
    sql(&url, "ALTER TABLE signers DROP COLUMN user_key").await;
    assert!(is_corrupt(store.user_of_signer(&user(7)).await));
    sql(&url, "UPDATE handshakes SET token = '\\xff'").await;
    assert!(is_corrupt(store.recover(at(0)).await));
    sql(&url, "UPDATE events SET at = -1").await;
    assert!(is_corrupt(store.events_after(stream(9), 0, 9).await));

    assert!(store.user(user_id(2)).await.unwrap().is_some());
    assert!(store.session(stream(2)).await.unwrap().is_some());
    store.check().await.unwrap();
}

#[tokio::test]
async fn an_envelope_that_names_no_key_is_corrupt() {
    let url = new_database().await;
    let store = open(&url).await;
    store.open_challenge(&challenge("c", stream(1))).await.unwrap();
    sql(&url, "UPDATE challenges SET envelopes = '[[\"no key\", 1]]'").await;
    assert!(is_corrupt(store.recover(at(0)).await));
    assert!(is_corrupt(store.put_envelope("c", &envelope(1, "x"), 1).await));
    assert!(store.events_after(stream(1), 0, 1).await.unwrap().is_some());
}

#[tokio::test]
async fn keys_that_were_altered_in_the_table_are_not_used() {
    let url = new_database().await;
    let store = open(&url).await;
    let revision = store.replace_keys(None, "ring").await.unwrap();
    assert!(revision.is_some());
    sql(&url, "UPDATE access_keys SET ring = 'another'").await;
    assert!(matches!(store.load_keys().await, Err(KeysError::Refused(_))));
}

#[tokio::test]
async fn a_text_that_the_database_cannot_store_finds_nobody() {
    let store = open(&new_database().await).await;
    begin(&store, 1, &person(1)).await;
    assert_eq!(store.user_of_wallet("portal", "wallet 1\0").await.unwrap(), None);
    let filter = portico::store::UserFilter { role: Some("member\0".into()), ..Default::default() };
    assert_eq!(store.users(&filter, None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn the_size_is_that_of_the_tables() {
    let store = open(&new_database().await).await;
    let empty = store.size().await.unwrap();
    for n in 0..200 {
        store.open_challenge(&challenge(&n.to_string(), stream(n))).await.unwrap();
    }
    assert!(store.size().await.unwrap() > empty);
    store.close().await;
    assert_eq!(store.size().await, None);
}
