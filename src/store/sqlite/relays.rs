//! Relays that an operator added or removed at run time.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{SqliteStore, audit};
use crate::clock::Timestamp;
use crate::store::{AuditDraft, OperatorRelays, RelayChange, Result};

/// Stores a change; the latest one of a relay is valid.
pub(super) fn change(db: &Connection, url: &str, change: RelayChange, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO relay_changes (url, change, at) VALUES (?1, ?2, ?3)
         ON CONFLICT (url) DO UPDATE SET change = ?2, at = ?3",
    )?
    .execute(params![url, change, at])?;
    Ok(())
}

/// Deletes the change of a relay.
pub(super) fn forget(db: &Connection, url: &str) -> Result<()> {
    db.prepare_cached("DELETE FROM relay_changes WHERE url = ?1")?.execute([url])?;
    Ok(())
}

/// The valid changes, in the order in which they were made.
pub(super) fn changes(db: &Connection) -> Result<Vec<(String, RelayChange)>> {
    let mut query = db.prepare_cached("SELECT url, change FROM relay_changes ORDER BY at, url")?;
    let changes = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(changes.collect::<rusqlite::Result<_>>()?)
}

#[async_trait]
impl OperatorRelays for SqliteStore {
    async fn change_relay(
        &self,
        url: &str,
        change: RelayChange,
        at: Timestamp,
        record: &AuditDraft,
    ) -> Result<()> {
        let (url, record) = (url.to_owned(), record.clone());
        self.writer
            .write(move |db| {
                self::change(db, &url, change, at)?;
                audit::record(db, &record)
            })
            .await
    }

    async fn forget_relay_change(&self, url: &str, record: Option<&AuditDraft>) -> Result<()> {
        let (url, record) = (url.to_owned(), record.cloned());
        self.writer
            .write(move |db| {
                forget(db, &url)?;
                record.as_ref().map_or(Ok(()), |record| audit::record(db, record))
            })
            .await
    }

    async fn relay_changes(&self) -> Result<Vec<(String, RelayChange)>> {
        self.readers.read(changes).await
    }
}
