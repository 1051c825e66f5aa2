//! The store in PostgreSQL keeps every promise of a store.

use std::time::Duration;

use portico::store::postgres::{PostgresOptions, PostgresStore};
use portico::store::{KeyStore, Store};

use crate::support::postgres::Postgres;

conformance!(crate::store::empty);
keys_conformance!(crate::store::empty_keys);

pub(crate) async fn empty() -> (Box<dyn Store>, ()) {
    (Box::new(open(&new_database().await).await), ())
}

pub(crate) async fn empty_keys() -> (Box<dyn KeyStore>, ()) {
    (Box::new(open(&new_database().await).await), ())
}

/// The URL of an empty database on the shared server.
pub(crate) async fn new_database() -> String {
    Postgres::start().database().await
}

/// Waits for long: the machine is busy with other tests.
pub(crate) fn options(url: &str) -> PostgresOptions {
    let options = PostgresOptions::new(url.parse().unwrap());
    PostgresOptions { owes_deliveries: true, patience: Duration::from_secs(20), ..options }
}

pub(crate) async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(options(url)).await.unwrap()
}
