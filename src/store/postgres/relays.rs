//! Relays that an operator added or removed at run time.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::failure::Outcome;
use super::query::{get, read_all};
use super::transaction::Transaction;
use super::{PostgresStore, audit};
use crate::clock::Timestamp;
use crate::store::{AuditDraft, OperatorRelays, RelayChange, Result};

/// Stores a change; the latest one of a relay is valid.
async fn change(
    db: &Transaction<'_>,
    url: &str,
    change: RelayChange,
    at: Timestamp,
    record: &AuditDraft,
) -> Outcome<()> {
    let sql = "INSERT INTO relay_changes (url, change, at) VALUES ($1, $2, $3)
        ON CONFLICT (url) DO UPDATE SET change = $2, at = $3";
    db.run(sql, &[&url, &change, &at]).await?;
    audit::record(db, std::slice::from_ref(record)).await
}

/// Deletes the change of a relay.
async fn forget(db: &Transaction<'_>, url: &str, record: Option<&AuditDraft>) -> Outcome<()> {
    db.run("DELETE FROM relay_changes WHERE url = $1", &[&url]).await?;
    audit::record(db, record.map(std::slice::from_ref).unwrap_or_default()).await
}

#[async_trait]
impl OperatorRelays for PostgresStore {
    async fn change_relay(
        &self,
        url: &str,
        change: RelayChange,
        at: Timestamp,
        audit: &AuditDraft,
    ) -> Result<()> {
        let asked = (url.to_owned(), audit.clone());
        self.writer
            .write(asked, move |db, (url, record)| self::change(db, url, change, at, record).boxed())
            .await
    }

    async fn forget_relay_change(&self, url: &str, audit: Option<&AuditDraft>) -> Result<()> {
        let asked = (url.to_owned(), audit.cloned());
        self.writer.write(asked, |db, (url, record)| forget(db, url, record.as_ref()).boxed()).await
    }

    async fn relay_changes(&self) -> Result<Vec<(String, RelayChange)>> {
        let rows = self.readers.all("SELECT url, change FROM relay_changes ORDER BY at, url", &[]).await?;
        Ok(read_all(&rows, |row| Ok((get(row, "url")?, get(row, "change")?)))?)
    }
}
