//! The [`Store`](super::Store) in a single SQLite file.
//!
//! One thread writes, many read. A write returns after the fsync of its commit, which it shares with all
//! writes that wait at the same moment (`writer.rs`). Reads have their own connections (`readers.rs`) and see
//! the last commit. The file states its schema version and is migrated when it is opened (`migrate.rs`).
//! Backups are made while it is written (`backup.rs`).

mod accounts;
mod api_tokens;
mod audit;
pub mod backup;
mod cache;
mod challenges;
mod clock;
mod columns;
mod conditions;
mod deliveries;
mod error;
pub mod export;
mod handshakes;
mod holders;
mod logins;
mod memory;
mod migrate;
mod open;
mod purge;
mod readers;
mod relays;
mod replays;
mod revocations;
mod scans;
mod sessions;
mod sign_ins;
mod streams;
mod transaction;
mod upkeep;
mod users;
mod wallets;
mod web_sign_ins;
mod writer;

use std::fmt;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::holders::Holders;
use self::memory::Memory;
use self::readers::Readers;
use self::writer::Writer;
use super::{ClaimsInMemory, Result, SoleWriter, StoreError};
use crate::metrics::Metrics;
use crate::shown;

/// Options of a [`SqliteStore`].
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// How many reads run at the same time; at least one.
    pub readers: u16,
    /// How many writes may wait for the writer before further callers wait; at least one.
    pub queue: u16,
    /// How long to wait for another process's lock before [`StoreError::Unavailable`].
    pub busy_timeout: Duration,
    /// Whether each appended event gets a delivery ([`Deliveries`](super::Deliveries)).
    pub owes_deliveries: bool,
    /// Counts the transactions.
    pub metrics: Arc<Metrics>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            queue: 1024,
            busy_timeout: Duration::from_secs(5),
            owes_deliveries: false,
            metrics: Arc::default(),
        }
    }
}

/// The store in a file.
pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    holders: Holders,
    memory: Arc<Memory>,
    claims: ClaimsInMemory,
}

impl SqliteStore {
    /// Opens the file at `path`; creates it, readable by its owner only, if it does not exist. Blocks while
    /// the schema is migrated.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with the file name if it or its folder cannot be created or written,
    /// [`StoreError::Newer`] if a later version of this program wrote it, [`StoreError::Corrupt`] if it is
    /// damaged or not a Portico database. The latter two leave it unchanged.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self> {
        // Absolute, so that readers find it whatever becomes of the working directory, and so that SQLite
        // never takes a relative `file:…` for a URI.
        let name = |reason: String| StoreError::Unavailable(format!("{}: {reason}", shown::path(path)));
        let path = path::absolute(path).map_err(|error| name(error.to_string()))?;
        let db = open::writer(&path, options.busy_timeout).map_err(|error| match error {
            StoreError::Unavailable(reason) => name(reason),
            other => other,
        })?;
        let holders = Holders::load(&db)?;
        let memory = Arc::<Memory>::default();
        let writer = Writer::start(db, &options, Arc::clone(&memory))?;
        let readers = Readers::new(path.clone(), options.readers, options.busy_timeout);
        Ok(Self { path, writer, readers, holders, memory, claims: ClaimsInMemory::default() })
    }
}

/// The lock of the data folder keeps other processes from the file.
impl SoleWriter for SqliteStore {
    fn claims(&self) -> &ClaimsInMemory {
        &self.claims
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The error of every call after [`Store::close`].
fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}
