//! Relays that an operator added or removed at run time.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::PostgresStore;
use super::failure::Outcome;
use super::query::{get, read_all};
use super::transaction::Transaction;
use crate::clock::Timestamp;
use crate::store::{OperatorRelays, RelayChange, Result};

/// Stores a change; the latest one of a relay is valid.
async fn change(db: &Transaction<'_>, url: &str, change: RelayChange, at: Timestamp) -> Outcome<()> {
    let sql = "INSERT INTO relay_changes (url, change, at) VALUES ($1, $2, $3)
        ON CONFLICT (url) DO UPDATE SET change = $2, at = $3";
    db.run(sql, &[&url, &change, &at]).await?;
    Ok(())
}

/// Deletes the change of a relay.
async fn forget(db: &Transaction<'_>, url: &str) -> Outcome<()> {
    db.run("DELETE FROM relay_changes WHERE url = $1", &[&url]).await?;
    Ok(())
}

#[async_trait]
impl OperatorRelays for PostgresStore {
    async fn change_relay(&self, url: &str, change: RelayChange, at: Timestamp) -> Result<()> {
        self.writer.write(url.to_owned(), move |db, url| self::change(db, url, change, at).boxed()).await
    }

    async fn forget_relay_change(&self, url: &str) -> Result<()> {
        self.writer.write(url.to_owned(), |db, url| forget(db, url).boxed()).await
    }

    async fn relay_changes(&self) -> Result<Vec<(String, RelayChange)>> {
        let rows = self.readers.all("SELECT url, change FROM relay_changes ORDER BY at, url", &[]).await?;
        Ok(read_all(&rows, |row| Ok((get(row, "url")?, get(row, "change")?)))?)
    }
}
