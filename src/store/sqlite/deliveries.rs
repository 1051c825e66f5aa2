//! Deliveries that are owed to the webhook's receiver.
//!
//! Deliveries behind the head of a stream wait, and none of them was given up: only the head can be given up,
//! and a retry covers the whole stream.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::columns::Count;
use super::{SqliteStore, audit};
use crate::clock::Timestamp;
use crate::store::{Attempt, AuditDraft, Deliveries, Delivery, DeliveryState, Result, StreamId, Undelivered};

/// Adds the delivery of an event. It is the head of its stream, unless an earlier one waits.
pub(super) fn owe(db: &Connection, stream: StreamId, index: u64, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO deliveries (stream, idx, since, next_at) VALUES (?1, ?2, ?3, iif(
             EXISTS (SELECT 1 FROM deliveries WHERE stream = ?1 AND next_at IS NOT NULL), NULL, ?3))",
    )?
    .execute(params![stream, Count(index), at])?;
    Ok(())
}

/// The heads of at most `limit` streams, the ones that are due first first.
pub(super) fn heads(db: &Connection, limit: usize) -> Result<Vec<Delivery>> {
    let mut query = db.prepare_cached(
        "SELECT stream, idx, since, attempts, next_at, last_error, failed_at
         FROM deliveries WHERE next_at IS NOT NULL ORDER BY next_at LIMIT ?1",
    )?;
    Ok(query.query_map([Count(limit as u64)], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Records the result of an attempt. Returns `false` if the delivery has changed since it was read.
pub(super) fn record(db: &Connection, delivery: &Delivery, at: Timestamp, attempt: &Attempt) -> Result<bool> {
    let Delivery { stream, index, attempts, .. } = delivery;
    let changed = match attempt {
        // What has arrived has arrived, whatever an operator wanted meanwhile.
        Attempt::Delivered => db
            .prepare_cached("DELETE FROM deliveries WHERE stream = ?1 AND idx = ?2")?
            .execute(params![stream, Count(*index)])?,
        Attempt::Again { next_at, error } => db
            .prepare_cached(
                "UPDATE deliveries SET attempts = attempts + 1, next_at = ?4, last_error = ?5
                 WHERE stream = ?1 AND idx = ?2 AND attempts = ?3 AND next_at IS NOT NULL",
            )?
            .execute(params![stream, Count(*index), attempts, next_at, error])?,
        Attempt::GivenUp { error } => db
            .prepare_cached(
                "UPDATE deliveries SET attempts = attempts + 1, next_at = NULL, failed_at = ?4, last_error = ?5
                 WHERE stream = ?1 AND idx = ?2 AND attempts = ?3 AND next_at IS NOT NULL",
            )?
            .execute(params![stream, Count(*index), attempts, at, error])?,
    };
    if changed > 0 && !matches!(attempt, Attempt::Again { .. }) {
        promote_next(db, *stream, *index, at)?;
    }
    Ok(changed > 0)
}

/// Makes the delivery after this one the head of its stream, unless the stream has a head.
fn promote_next(db: &Connection, stream: StreamId, index: u64, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE deliveries SET next_at = ?3
         WHERE stream = ?1 AND idx = (SELECT min(idx) FROM deliveries WHERE stream = ?1 AND idx > ?2)
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE stream = ?1 AND next_at IS NOT NULL)",
    )?
    .execute(params![stream, Count(index), at])?;
    Ok(())
}

/// The undelivered events of one stream or of all.
pub(super) fn undelivered(db: &Connection, stream: Option<StreamId>, limit: usize) -> Result<Undelivered> {
    let deliveries = db
        .prepare_cached(
            "SELECT stream, idx, since, attempts, next_at, last_error, failed_at
             FROM deliveries WHERE ?1 IS NULL OR stream = ?1 ORDER BY stream, idx LIMIT ?2",
        )?
        .query_map(params![stream, Count(limit as u64)], read)?
        .collect::<rusqlite::Result<_>>()?;
    let (Count(waiting), Count(failed)) = db
        .prepare_cached(
            "SELECT count(*) - count(failed_at), count(failed_at)
             FROM deliveries WHERE ?1 IS NULL OR stream = ?1",
        )?
        .query_row([stream], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Undelivered { deliveries, waiting, failed })
}

/// Retries the deliveries of one stream or of all.
pub(super) fn retry(db: &Connection, stream: Option<StreamId>, at: Timestamp) -> Result<u64> {
    let all = db
        .prepare_cached(
            "UPDATE deliveries SET since = ?2, attempts = 0, next_at = NULL, failed_at = NULL
             WHERE ?1 IS NULL OR stream = ?1",
        )?
        .execute(params![stream, at])?;
    db.prepare_cached(
        "UPDATE deliveries AS one SET next_at = ?2 WHERE (?1 IS NULL OR stream = ?1)
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE stream = one.stream AND idx < one.idx)",
    )?
    .execute(params![stream, at])?;
    Ok(all as u64)
}

/// Drops the deliveries of one stream or of all.
pub(super) fn forget(db: &Connection, stream: Option<StreamId>) -> Result<u64> {
    let gone =
        db.prepare_cached("DELETE FROM deliveries WHERE ?1 IS NULL OR stream = ?1")?.execute([stream])?;
    Ok(gone as u64)
}

fn record_if_any(db: &Connection, count: u64, record: &AuditDraft) -> Result<u64> {
    if count > 0 {
        audit::record(db, record)?;
    }
    Ok(count)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let Count(index) = row.get("idx")?;
    let state = match (row.get("failed_at")?, row.get("next_at")?) {
        (Some(at), _) => DeliveryState::Failed(at),
        (None, Some(at)) => DeliveryState::Head(at),
        (None, None) => DeliveryState::Behind,
    };
    Ok(Delivery {
        stream: row.get("stream")?,
        index,
        since: row.get("since")?,
        attempts: row.get("attempts")?,
        state,
        last_error: row.get("last_error")?,
    })
}

#[async_trait]
impl Deliveries for SqliteStore {
    async fn heads(&self, limit: usize) -> Result<Vec<Delivery>> {
        self.readers.read(move |db| heads(db, limit)).await
    }

    async fn record_attempt(&self, delivery: &Delivery, at: Timestamp, attempt: &Attempt) -> Result<bool> {
        let (delivery, attempt) = (delivery.clone(), attempt.clone());
        self.writer.write(move |db| record(db, &delivery, at, &attempt)).await
    }

    async fn undelivered(&self, stream: Option<StreamId>, limit: usize) -> Result<Undelivered> {
        self.readers.read(move |db| undelivered(db, stream, limit)).await
    }

    async fn retry_deliveries(
        &self,
        stream: Option<StreamId>,
        at: Timestamp,
        record: &AuditDraft,
    ) -> Result<u64> {
        let record = record.clone();
        self.writer.write(move |db| record_if_any(db, retry(db, stream, at)?, &record)).await
    }

    async fn drop_deliveries(&self, stream: Option<StreamId>, record: &AuditDraft) -> Result<u64> {
        let record = record.clone();
        self.writer.write(move |db| record_if_any(db, forget(db, stream)?, &record)).await
    }
}
