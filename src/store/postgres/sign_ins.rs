//! Texts that wait for a signature.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::PostgresStore;
use super::columns::{Bytes, Count};
use super::failure::Outcome;
use super::query::get;
use super::transaction::Transaction;
use super::witness::Witness;
use crate::clock::Timestamp;
use crate::store::{Result, SignIns, StoreError, TextDigest};

/// Deletes more than are added, so that expired texts do not pile up.
const EXPIRED: &str = "DELETE FROM sign_ins WHERE digest = ANY (ARRAY
    (SELECT digest FROM sign_ins WHERE expires_at < $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED))";

/// Offers that are stored at the same moment do not see each other: there may be more than `max` by as many as there are
/// connections that write. To lock out the others would let strangers hold up logins.
async fn offer(
    db: &Transaction<'_>,
    text: &TextDigest,
    expires_at: Timestamp,
    now: Timestamp,
    max: usize,
) -> Outcome<Option<Timestamp>> {
    db.run(EXPIRED, &[&now]).await?;
    let sql = "SELECT count(*) AS open, min(expires_at) AS first FROM sign_ins";
    let Some(row) = db.first(sql, &[]).await? else { return Ok(None) };
    let Count(open) = get(&row, "open")?;
    if open >= max as u64 {
        return get(&row, "first");
    }
    let sql = "INSERT INTO sign_ins (digest, expires_at, done_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let added = db.run(sql, &[&Bytes(*text), &expires_at, &db.done_by()]).await?;
    db.note(Witness::SignIn(*text));
    if added == 0 { Err(StoreError::Conflict.into()) } else { Ok(None) }
}

async fn take(db: &Transaction<'_>, text: &TextDigest) -> Outcome<bool> {
    Ok(db.run("DELETE FROM sign_ins WHERE digest = $1", &[&Bytes(*text)]).await? > 0)
}

#[async_trait]
impl SignIns for PostgresStore {
    async fn offer_sign_in(
        &self,
        text: &TextDigest,
        expires_at: Timestamp,
        now: Timestamp,
        max: usize,
    ) -> Result<Option<Timestamp>> {
        self.writer.write(*text, move |db, text| offer(db, text, expires_at, now, max).boxed()).await
    }

    async fn take_sign_in(&self, text: &TextDigest) -> Result<bool> {
        self.writer.write(*text, |db, text| take(db, text).boxed()).await
    }
}
