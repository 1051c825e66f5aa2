//! [`Upkeep`]: maintenance of the tables.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::columns::Count;
use super::connect::SCHEMA;
use super::failure::Outcome;
use super::query::get;
use super::transaction::Transaction;
use super::{PostgresStore, clock, purge};
use crate::clock::ClockSeen;
use crate::store::{PurgeBefore, Result, Upkeep};

/// Rewrites an existing value, to test whether the database can be written.
async fn touch(db: &Transaction<'_>) -> Outcome<()> {
    db.run("UPDATE schema_version SET version = version", &[]).await?;
    Ok(())
}

#[async_trait]
impl Upkeep for PostgresStore {
    async fn clock_seen(&self) -> Result<Option<ClockSeen>> {
        Ok(clock::seen(&self.readers).await?)
    }

    async fn see_clock(&self, seen: &ClockSeen) -> Result<()> {
        self.writer.write(*seen, |db, seen| clock::keep(db, seen).boxed()).await
    }

    async fn purge(&self, before: &PurgeBefore) -> Result<u64> {
        let mut total = 0;
        loop {
            match self.writer.write(*before, |db, before| purge::chunk(db, before).boxed()).await? {
                0 => return Ok(total),
                gone => total += gone,
            }
        }
    }

    async fn check(&self) -> Result<()> {
        clock::seen(&self.readers).await?;
        self.writer.write((), |db, ()| touch(db).boxed()).await
    }

    async fn size(&self) -> Option<u64> {
        let sql = "SELECT sum(pg_total_relation_size(oid))::bigint AS bytes
            FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace($1)";
        let row = self.readers.first(sql, &[&SCHEMA]).await.ok()??;
        let Count(bytes) = get(&row, "bytes").ok()?;
        Some(bytes)
    }

    async fn close(&self) {
        tokio::join!(self.readers.close(), self.writer.close());
    }
}
