//! The [`Store`](super::Store) in a single SQLite file.
//!
//! One thread writes, many read. A write returns after the fsync of its commit, which it shares with all that
//! wait at the same moment (`writer.rs`). Reads have connections of their own (`readers.rs`) and see the last
//! commit. The file names its schema version and is brought up to date when it is opened (`migrate.rs`).
//! Copies of it are made while it is written (`backup.rs`).

mod accounts;
mod audit;
pub mod backup;
mod cache;
mod challenges;
mod clock;
mod columns;
mod conditions;
mod deliveries;
mod error;
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
mod writer;

use std::fmt;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::holders::Holders;
use self::memory::Memory;
use self::readers::Readers;
use self::writer::Writer;
use super::{Result, StoreError};
use crate::metrics::Metrics;

/// How a [`SqliteStore`] works.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// How many reads run at once; at least one does.
    pub readers: u16,
    /// How many writes wait for the writer before further callers have to; at least one does.
    pub queue: u16,
    /// How long to wait for a lock that another process holds, before [`StoreError::Unavailable`].
    pub busy_timeout: Duration,
    /// Whether each event that is appended owes a delivery ([`Deliveries`](super::Deliveries)).
    pub owes_deliveries: bool,
    /// Where transactions are counted.
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
}

impl SqliteStore {
    /// Opens the file at `path`; makes it, readable by its owner only, if it is not there. Blocks while the
    /// schema is brought up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], naming the file, if it or its folder cannot be made or written,
    /// [`StoreError::Newer`] if a later version of this program wrote it, [`StoreError::Corrupt`] if it is
    /// damaged or something else altogether. The latter two leave it as it is.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self> {
        // Absolute, so that readers find it whatever becomes of the working directory, and so that SQLite
        // never takes a relative `file:…` for a URI.
        let name = |reason: String| StoreError::Unavailable(format!("{}: {reason}", path.display()));
        let path = path::absolute(path).map_err(|error| name(error.to_string()))?;
        let db = open::writer(&path, options.busy_timeout).map_err(|error| match error {
            StoreError::Unavailable(reason) => name(reason),
            other => other,
        })?;
        let holders = Holders::load(&db)?;
        let memory = Arc::<Memory>::default();
        let writer = Writer::start(db, &options, Arc::clone(&memory))?;
        let readers = Readers::new(path.clone(), options.readers, options.busy_timeout);
        Ok(Self { path, writer, readers, holders, memory })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What every call hears after [`Store::close`].
fn closed() -> StoreError {
    StoreError::Unavailable("it was closed".into())
}
