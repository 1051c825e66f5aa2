//! Deliveries that are owed to the webhook's receiver.
//!
//! Deliveries behind the head of a stream wait, and none of them was given up: only the head can be given up, and a retry
//! covers the whole stream. Every change of them holds the lock of their stream, so that no event is appended behind a
//! head that goes at the same moment.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::columns::{Count, Small};
use super::failure::Outcome;
use super::query::{Db, get, read_all};
use super::streams;
use super::transaction::Transaction;
use super::{PostgresStore, audit};
use crate::clock::Timestamp;
use crate::store::{Attempt, AuditDraft, Deliveries, Delivery, DeliveryState, Result, StreamId, Undelivered};

const SELECT: &str = "SELECT stream, idx, since, attempts, next_at, last_error, failed_at FROM deliveries";

/// Adds the delivery of an event. It is the head of its stream, unless an earlier one waits. The stream must be locked.
pub(super) async fn owe(db: &Transaction<'_>, stream: StreamId, index: u64, at: Timestamp) -> Outcome<()> {
    let sql = "INSERT INTO deliveries (stream, idx, since, next_at) VALUES ($1, $2, $3, CASE
        WHEN EXISTS (SELECT 1 FROM deliveries WHERE stream = $1 AND next_at IS NOT NULL) THEN NULL ELSE $3::bigint END)";
    db.run(sql, &[&stream, &Count(index), &at]).await?;
    Ok(())
}

/// Records the result of an attempt. Returns `false` if the delivery has changed since it was read.
async fn record(
    db: &Transaction<'_>,
    delivery: &Delivery,
    at: Timestamp,
    attempt: &Attempt,
) -> Outcome<bool> {
    let Delivery { stream, index, attempts, .. } = delivery;
    let (place, attempts) = (Count(*index), Small(*attempts));
    streams::lock_all(db, &[*stream]).await?;
    let changed = match attempt {
        // What has arrived has arrived, whatever an operator wanted meanwhile.
        Attempt::Delivered => {
            db.run("DELETE FROM deliveries WHERE stream = $1 AND idx = $2", &[stream, &place]).await?
        }
        Attempt::Again { next_at, error } => {
            let sql = "UPDATE deliveries SET attempts = attempts + 1, next_at = $4, last_error = $5
                WHERE stream = $1 AND idx = $2 AND attempts = $3 AND next_at IS NOT NULL";
            db.run(sql, &[stream, &place, &attempts, next_at, error]).await?
        }
        Attempt::GivenUp { error } => {
            let sql = "UPDATE deliveries SET attempts = attempts + 1, next_at = NULL, failed_at = $4, last_error = $5
                WHERE stream = $1 AND idx = $2 AND attempts = $3 AND next_at IS NOT NULL";
            db.run(sql, &[stream, &place, &attempts, &at, error]).await?
        }
    };
    if changed > 0 && !matches!(attempt, Attempt::Again { .. }) {
        promote_next(db, *stream, place, at).await?;
    }
    Ok(changed > 0)
}

/// Makes the delivery after this one the head of its stream, unless the stream has a head.
async fn promote_next(db: &Transaction<'_>, stream: StreamId, index: Count, at: Timestamp) -> Outcome<()> {
    let sql = "UPDATE deliveries SET next_at = $3
        WHERE stream = $1 AND idx = (SELECT min(idx) FROM deliveries WHERE stream = $1 AND idx > $2)
        AND NOT EXISTS (SELECT 1 FROM deliveries WHERE stream = $1 AND next_at IS NOT NULL)";
    db.run(sql, &[&stream, &index, &at]).await?;
    Ok(())
}

/// The streams to change: this one, or all that have deliveries. They are locked.
async fn lock_streams(db: &Transaction<'_>, stream: Option<StreamId>) -> Outcome<Vec<StreamId>> {
    let streams = match stream {
        Some(stream) => vec![stream],
        None => {
            let rows = db.all("SELECT DISTINCT stream FROM deliveries", &[]).await?;
            read_all(&rows, |row| get(row, "stream"))?
        }
    };
    streams::lock_all(db, &streams).await?;
    Ok(streams)
}

/// Retries the deliveries of one stream or of all.
async fn retry(
    db: &Transaction<'_>,
    stream: Option<StreamId>,
    at: Timestamp,
    audit: &AuditDraft,
) -> Outcome<u64> {
    let streams = lock_streams(db, stream).await?;
    let sql = "UPDATE deliveries SET since = $2, attempts = 0, next_at = NULL, failed_at = NULL WHERE stream = ANY ($1)";
    let all = db.run(sql, &[&streams, &at]).await?;
    let sql = "UPDATE deliveries AS one SET next_at = $2 WHERE stream = ANY ($1)
        AND NOT EXISTS (SELECT 1 FROM deliveries WHERE stream = one.stream AND idx < one.idx)";
    db.run(sql, &[&streams, &at]).await?;
    record_if_any(db, all, audit).await
}

/// Drops the deliveries of one stream or of all.
async fn forget(db: &Transaction<'_>, stream: Option<StreamId>, audit: &AuditDraft) -> Outcome<u64> {
    let streams = lock_streams(db, stream).await?;
    let gone = db.run("DELETE FROM deliveries WHERE stream = ANY ($1)", &[&streams]).await?;
    record_if_any(db, gone, audit).await
}

async fn record_if_any(db: &Transaction<'_>, count: u64, audit: &AuditDraft) -> Outcome<u64> {
    if count > 0 {
        audit::record(db, std::slice::from_ref(audit)).await?;
    }
    Ok(count)
}

/// The undelivered events of one stream or of all.
async fn undelivered(db: Db<'_>, stream: Option<StreamId>, limit: Count) -> Outcome<Undelivered> {
    let sql = format!("{SELECT} WHERE $1::uuid IS NULL OR stream = $1 ORDER BY stream, idx LIMIT $2");
    let deliveries = read_all(&db.all(&sql, &[&stream, &limit]).await?, read)?;
    let sql = "SELECT count(*) - count(failed_at) AS waiting, count(failed_at) AS failed
        FROM deliveries WHERE $1::uuid IS NULL OR stream = $1";
    let Some(row) = db.first(sql, &[&stream]).await? else { return Ok(Undelivered::default()) };
    let (Count(waiting), Count(failed)) = (get(&row, "waiting")?, get(&row, "failed")?);
    Ok(Undelivered { deliveries, waiting, failed })
}

fn read(row: &Row) -> Outcome<Delivery> {
    let (Count(index), Small(attempts)) = (get(row, "idx")?, get(row, "attempts")?);
    let state = match (get(row, "failed_at")?, get(row, "next_at")?) {
        (Some(at), _) => DeliveryState::Failed(at),
        (None, Some(at)) => DeliveryState::Head(at),
        (None, None) => DeliveryState::Behind,
    };
    Ok(Delivery {
        stream: get(row, "stream")?,
        index,
        since: get(row, "since")?,
        attempts,
        state,
        last_error: get(row, "last_error")?,
    })
}

#[async_trait]
impl Deliveries for PostgresStore {
    async fn heads(&self, limit: usize) -> Result<Vec<Delivery>> {
        let sql = format!("{SELECT} WHERE next_at IS NOT NULL ORDER BY next_at LIMIT $1");
        Ok(read_all(&self.readers.all(&sql, &[&Count(limit as u64)]).await?, read)?)
    }

    async fn record_attempt(&self, delivery: &Delivery, at: Timestamp, attempt: &Attempt) -> Result<bool> {
        let asked = (delivery.clone(), attempt.clone());
        self.writer
            .write(asked, move |db, (delivery, attempt)| record(db, delivery, at, attempt).boxed())
            .await
    }

    async fn undelivered(&self, stream: Option<StreamId>, limit: usize) -> Result<Undelivered> {
        let limit = limit as u64;
        Ok(self.readers.snapshot(move |db| undelivered(db, stream, Count(limit)).boxed()).await?)
    }

    async fn retry_deliveries(
        &self,
        stream: Option<StreamId>,
        at: Timestamp,
        audit: &AuditDraft,
    ) -> Result<u64> {
        self.writer.write(audit.clone(), move |db, audit| retry(db, stream, at, audit).boxed()).await
    }

    async fn drop_deliveries(&self, stream: Option<StreamId>, audit: &AuditDraft) -> Result<u64> {
        self.writer.write(audit.clone(), move |db, audit| forget(db, stream, audit).boxed()).await
    }
}
