//! The store that the configuration names.

use std::sync::Arc;

use super::error::StartError;
use super::folder::DataFolder;
use crate::config::files::Owners;
use crate::config::{Config, Database, StorePlace};
use crate::metrics::Metrics;
use crate::protocol::Sealer;
use crate::store::postgres::{DaemonLock, PostgresOptions, PostgresStore};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{KeyStore, Store, StoreError};
use crate::tokens::{KeyFile, SealedKeys};

/// An open store.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    /// The store of the keys of access tokens. `None`: they are in a file of the data folder.
    keys: Option<Arc<dyn KeyStore>>,
    /// Keeps other daemons away, where the lock of the data folder does not.
    pub(super) lock: Option<DaemonLock>,
}

impl Opened {
    /// Where the ring of keys is. A database has it only sealed.
    pub(super) fn keys(&self, folder: &DataFolder, sealer: Arc<Sealer>) -> Arc<dyn KeyStore> {
        match &self.keys {
            Some(stored) => Arc::new(SealedKeys::new(Arc::clone(stored), sealer)),
            None => Arc::new(KeyFile::new(folder.access_keys(), Owners::ours())),
        }
    }
}

/// Opens the store, and migrates it to the schema of this program.
pub(super) async fn open(
    config: &Config,
    folder: &DataFolder,
    metrics: &Arc<Metrics>,
) -> Result<Opened, StartError> {
    folder.make_private()?;
    let owes_deliveries = config.webhook.is_some();
    let metrics = Arc::clone(metrics);
    match &config.store {
        StorePlace::Folder => {
            let path = folder.database();
            let options = SqliteOptions { owes_deliveries, metrics, ..SqliteOptions::default() };
            // A migration blocks.
            let opened = tokio::task::spawn_blocking(move || SqliteStore::open(&path, options)).await;
            let opened = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            Ok(Opened { store: Arc::new(opened?), keys: None, lock: None })
        }
        StorePlace::Postgres(database) => {
            let options = PostgresOptions { owes_deliveries, metrics, ..options(config, database)? };
            // Before the tables are migrated: the daemon that uses them may be of another version.
            let lock = DaemonLock::take(&options).await?;
            let store = Arc::new(PostgresStore::open(options).await?);
            tracing::info!(database = %database.url(), "the store is a PostgreSQL database");
            Ok(Opened { store: store.clone(), keys: Some(store), lock: Some(lock) })
        }
    }
}

/// How to connect to this database.
///
/// # Errors
/// [`StartError::StorePassword`].
pub fn options(config: &Config, database: &Database) -> Result<PostgresOptions, StartError> {
    Ok(PostgresOptions { tls: config.tls.clone(), ..PostgresOptions::new(database.load()?) })
}
