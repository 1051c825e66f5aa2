//! Making the file and opening connections to it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::migrate;
use crate::store::{Result, StoreError};

/// Every statement of a connection stays prepared.
const STATEMENTS: usize = 128;

/// How many pages (of 4 KiB) wait in the write-ahead log before they move into the file, unless readers delay
/// that. Four times SQLite's default, because most pages change again soon and then move only once.
const LOG_PAGES: i64 = 4_000;

/// A larger write-ahead log is cut at the next checkpoint, in bytes.
const LOG_LIMIT: u64 = 64 << 20;

/// Opens the writing connection. Creates the file if needed, and migrates it.
pub(super) fn writer(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    create(path)?;
    let mut db = connect(path, busy_timeout)?;
    // Until the file is known to be ours, not even closing it may move its log into it.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    migrate::inspect(&db, path)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Unavailable("SQLite cannot use a write-ahead log in that folder".into()));
    }
    // FULL is an fsync for each commit: what was acknowledged survives a loss of power.
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update_and_check(None, "journal_size_limit", LOG_LIMIT as i64, |_| Ok(()))?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES, |_| Ok(()))?;
    migrate::migrate(&mut db)?;
    Ok(db)
}

/// Opens a connection that can only read.
pub(super) fn reader(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    let db = connect(path, busy_timeout)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

/// Opens a connection to an existing file.
pub(super) fn connect(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    // No CREATE: SQLite would make the file readable by everybody.
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(busy_timeout)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // SQLite would plan again for the values of each execution (it is built with STAT4); ours need no plan
    // but the one, and a statement would be prepared anew each time it runs.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    Ok(db)
}

/// Creates an empty file that only its owner can read, in a folder with the same restriction, unless they
/// exist. SQLite gives its log files the same mode.
fn create(path: &Path) -> Result<()> {
    let failed = |error: io::Error| StoreError::Unavailable(error.to_string());
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    // An existing file must not even be opened: closing it again would drop the POSIX locks that other
    // connections of this process hold on it.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}
