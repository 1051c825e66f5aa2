//! Streams and their events.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::columns::Count;
use super::failure::Outcome;
use super::query::get;
use super::transaction::Transaction;
use super::witness::Witness;
use super::{PostgresStore, challenges, deliveries, handshakes};
use crate::clock::Timestamp;
use crate::store::{EventDraft, Page, Result, StoredEvent, StreamId, Streams};

/// Creates a stream; [`StoreError::Conflict`](crate::store::StoreError) if one with that id exists.
pub(super) async fn begin(db: &Transaction<'_>, stream: StreamId, at: Timestamp) -> Outcome<()> {
    let sql = "INSERT INTO streams (id, created_at, done_by) VALUES ($1, $2, $3)";
    db.run(sql, &[&stream, &at, &db.done_by()]).await?;
    db.note(Witness::Stream(stream));
    Ok(())
}

/// Locks a stream until the end of the transaction. Returns `false` if it has ended, or does not exist. Whoever changes
/// the handshake, the challenges or the deliveries of a stream locks it before.
pub(super) async fn lock_open(db: &Transaction<'_>, stream: StreamId) -> Outcome<bool> {
    let sql = "SELECT 1 FROM streams WHERE id = $1 AND ended_at IS NULL FOR NO KEY UPDATE";
    Ok(db.first(sql, &[&stream]).await?.is_some())
}

/// Locks these streams, ended or not, until the end of the transaction.
pub(super) async fn lock_all(db: &Transaction<'_>, streams: &[StreamId]) -> Outcome<()> {
    db.all("SELECT 1 FROM streams WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", &[&streams]).await?;
    Ok(())
}

/// Appends an event and adds its delivery. If it is the `last` one, ends everything that is open on the stream. `None`:
/// the stream had ended already, or does not exist.
pub(super) async fn append(
    db: &Transaction<'_>,
    stream: StreamId,
    draft: &EventDraft,
    last: bool,
) -> Outcome<Option<StoredEvent>> {
    let sql = "UPDATE streams SET next_index = next_index + 1, ended_at = CASE WHEN $2 THEN $3::bigint END
        WHERE id = $1 AND ended_at IS NULL RETURNING next_index - 1 AS idx";
    let Some(row) = db.first(sql, &[&stream, &last, &draft.at]).await? else { return Ok(None) };
    let Count(index) = get(&row, "idx")?;
    let sql = "INSERT INTO events (stream, idx, at, body, done_by) VALUES ($1, $2, $3, $4, $5)";
    db.run(sql, &[&stream, &Count(index), &draft.at, &draft.body, &db.done_by()]).await?;
    db.note(Witness::Event(stream, index));
    if db.owes_deliveries() {
        deliveries::owe(db, stream, index, draft.at).await?;
    }
    if last {
        handshakes::remove(db, stream).await?;
        challenges::close_all_of(db, stream, draft.at).await?;
    }
    Ok(Some(StoredEvent { index, at: draft.at, body: draft.body.clone() }))
}

/// One statement, so that the events and the end of the stream are of the same moment. A stream without events on this
/// page is one row without an event.
const PAGE: &str = "SELECT ended_at IS NOT NULL AS ended, next_index - 1 AS latest, idx, at, body
    FROM streams LEFT JOIN LATERAL
        (SELECT idx, at, body FROM events WHERE stream = streams.id AND idx > $2 ORDER BY idx LIMIT $3) AS page ON true
    WHERE id = $1 ORDER BY idx";

fn page(rows: &[Row]) -> Outcome<Option<Page>> {
    let Some(first) = rows.first() else { return Ok(None) };
    let (ended, Count(latest)) = (get(first, "ended")?, get(first, "latest")?);
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(Count(index)) = get(row, "idx")? {
            events.push(StoredEvent { index, at: get(row, "at")?, body: get(row, "body")? });
        }
    }
    Ok(Some(Page { events, ended, latest }))
}

#[async_trait]
impl Streams for PostgresStore {
    async fn end_stream(&self, stream: StreamId, last: &EventDraft) -> Result<Option<StoredEvent>> {
        self.writer.write(last.clone(), move |db, last| append(db, stream, last, true).boxed()).await
    }

    async fn events_after(&self, stream: StreamId, after: u64, limit: usize) -> Result<Option<Page>> {
        let rows = self.readers.all(PAGE, &[&stream, &Count(after), &Count(limit as u64)]).await?;
        Ok(page(&rows)?)
    }
}
