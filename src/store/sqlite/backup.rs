//! Copies of the file: made while the daemon writes it, and checked before they are trusted.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};

use super::{migrate, open};
use crate::clock::Timestamp;
use crate::shown;
use crate::store::{BackupError, BackupLabel, Backups, Result, StoreError};

/// How long to wait for another process's lock.
const PATIENCE: Duration = Duration::from_secs(30);

/// The database in this file, which need not be open.
#[derive(Debug)]
pub struct DatabaseFile<'a>(pub &'a Path);

impl Backups for DatabaseFile<'_> {
    fn backup_to(&self, copy: &Path, label: &BackupLabel) -> std::result::Result<(), BackupError> {
        Ok(write(self.0, copy, label)?)
    }
}

/// Writes the state of `database` to `copy`. The label is a table of its own there.
fn write(database: &Path, copy: &Path, label: &BackupLabel) -> Result<()> {
    let db = open::connect(database, PATIENCE).map_err(|error| named(database, error))?;
    // A mere look does not move the log of a daemon that was killed into the file.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    check_ours(&db, database)?;
    let to = copy.to_str().ok_or_else(|| {
        StoreError::Unavailable(format!(
            "{} is not UTF-8, but SQLite requires that of file names",
            shown::path(copy)
        ))
    })?;
    db.execute("VACUUM INTO ?1", [to])?;
    drop(db);

    let db = open::connect(copy, Duration::ZERO)?;
    leave_nothing_beside(&db)?;
    db.execute_batch("CREATE TABLE backup (service TEXT, made_at INTEGER NOT NULL) STRICT")?;
    let made_at = i64::try_from(label.made_at.millis()).unwrap_or(i64::MAX);
    db.execute("INSERT INTO backup VALUES (?1, ?2)", (&label.service, made_at))?;
    check_sound(&db, copy)
}

/// Turns `copy`, a copy of the file that errors call `name`, into a database again. Returns its label.
///
/// # Errors
/// [`StoreError::Newer`] if a later version of this program made it, [`StoreError::Corrupt`] if it is damaged
/// or not a backup.
pub fn adopt(copy: &Path, name: &Path) -> Result<Option<BackupLabel>> {
    let db = open::connect(copy, Duration::ZERO)?;
    check_ours(&db, name)?;
    leave_nothing_beside(&db)?;
    check_sound(&db, name)?;
    let labelled = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'backup'";
    if db.query_row(labelled, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let label = db.query_row("SELECT service, made_at FROM backup", [], |row| {
        let made_at = Timestamp::from_millis(row.get::<_, i64>(1)?.unsigned_abs());
        Ok(BackupLabel { service: row.get(0)?, made_at })
    })?;
    db.execute_batch("DROP TABLE backup")?;
    Ok(Some(label))
}

/// No other process uses a copy, so it needs no log.
fn leave_nothing_beside(db: &Connection) -> Result<()> {
    Ok(db.pragma_update_and_check(None, "journal_mode", "memory", |_| Ok(()))?)
}

fn check_ours(db: &Connection, path: &Path) -> Result<()> {
    migrate::inspect(db, path)?;
    // An empty file is one that may become ours; there is nothing in it to keep.
    if migrate::version(db)? == 0 {
        return Err(StoreError::Corrupt(format!("{} is empty", shown::path(path))));
    }
    Ok(())
}

/// Checks the whole file.
fn check_sound(db: &Connection, path: &Path) -> Result<()> {
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    let astray = db.query_row("PRAGMA foreign_key_check", [], |_| Ok(())).optional()?.is_some();
    if found == "ok" && !astray {
        return Ok(());
    }
    let what = if astray { "a row refers to a row that does not exist" } else { &found };
    Err(StoreError::Corrupt(format!("{}: {what}", shown::path(path))))
}

fn named(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{}: {why}", shown::path(path))),
        other => other,
    }
}
