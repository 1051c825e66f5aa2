//! Texts that wait for a signature.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::SqliteStore;
use crate::clock::Timestamp;
use crate::store::{Result, SignIns, StoreError, TextDigest};

/// Deletes more than are added, so that expired texts do not pile up.
const EXPIRED: &str = "DELETE FROM sign_ins WHERE digest IN
    (SELECT digest FROM sign_ins WHERE expires_at < ?1 ORDER BY expires_at LIMIT 100)";

fn offer(
    db: &Connection,
    text: &TextDigest,
    expires_at: Timestamp,
    now: Timestamp,
    max: usize,
) -> Result<Option<Timestamp>> {
    db.prepare_cached(EXPIRED)?.execute([now])?;
    let open: i64 = db.prepare_cached("SELECT count(*) FROM sign_ins")?.query_row([], |row| row.get(0))?;
    if open >= max as i64 {
        let mut first = db.prepare_cached("SELECT min(expires_at) FROM sign_ins")?;
        return Ok(first.query_row([], |row| row.get(0))?);
    }
    let added = db
        .prepare_cached("INSERT INTO sign_ins (digest, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![text, expires_at])?;
    if added == 0 { Err(StoreError::Conflict) } else { Ok(None) }
}

fn take(db: &Connection, text: &TextDigest) -> Result<bool> {
    Ok(db.prepare_cached("DELETE FROM sign_ins WHERE digest = ?1")?.execute([text])? > 0)
}

#[async_trait]
impl SignIns for SqliteStore {
    async fn offer_sign_in(
        &self,
        text: &TextDigest,
        expires_at: Timestamp,
        now: Timestamp,
        max: usize,
    ) -> Result<Option<Timestamp>> {
        let text = *text;
        self.writer.write(move |db| offer(db, &text, expires_at, now, max)).await
    }

    async fn take_sign_in(&self, text: &TextDigest) -> Result<bool> {
        let text = *text;
        self.writer.write(move |db| take(db, &text)).await
    }
}
