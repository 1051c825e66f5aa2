//! Streams and their events.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::Count;
use super::transaction::Transaction;
use super::{SqliteStore, challenges, deliveries, handshakes};
use crate::clock::Timestamp;
use crate::store::{EventDraft, Page, Result, StoredEvent, StreamId, Streams};

/// Creates a stream; [`StoreError::Conflict`](crate::store::StoreError) if one with that id exists.
pub(super) fn begin(db: &Connection, stream: StreamId, at: Timestamp) -> Result<()> {
    db.prepare_cached("INSERT INTO streams (id, created_at) VALUES (?1, ?2)")?
        .execute(params![stream, at])?;
    Ok(())
}

/// Appends an event and adds its delivery. If it is the `last` one, ends everything that is open on the
/// stream. `None`: the stream had ended already, or does not exist.
pub(super) fn append(
    db: &Transaction<'_>,
    stream: StreamId,
    draft: &EventDraft,
    last: bool,
) -> Result<Option<StoredEvent>> {
    let index = db
        .prepare_cached(
            "UPDATE streams SET next_index = next_index + 1, ended_at = iif(?2, ?3, NULL)
             WHERE id = ?1 AND ended_at IS NULL RETURNING next_index - 1",
        )?
        .query_row(params![stream, last, draft.at], |row| row.get(0))
        .optional()?;
    let Some(Count(index)) = index else { return Ok(None) };
    db.prepare_cached("INSERT INTO events (stream, idx, at, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![stream, Count(index), draft.at, draft.body])?;
    if db.owes_deliveries() {
        deliveries::owe(db, stream, index, draft.at)?;
    }
    if last {
        handshakes::remove(db, stream)?;
        challenges::close_all_of(db, stream, draft.at)?;
    }
    Ok(Some(StoredEvent { index, at: draft.at, body: draft.body.clone() }))
}

/// At most `limit` events after index `after`.
pub(super) fn page(db: &Connection, stream: StreamId, after: u64, limit: usize) -> Result<Option<Page>> {
    let state = db
        .prepare_cached("SELECT ended_at IS NOT NULL, next_index - 1 FROM streams WHERE id = ?1")?
        .query_row([stream], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((ended, Count(latest))) = state else { return Ok(None) };
    let events = db
        .prepare_cached(
            "SELECT idx, at, body FROM events WHERE stream = ?1 AND idx > ?2 ORDER BY idx LIMIT ?3",
        )?
        .query_map(params![stream, Count(after), Count(limit as u64)], read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(Page { events, ended, latest }))
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let Count(index) = row.get("idx")?;
    Ok(StoredEvent { index, at: row.get("at")?, body: row.get("body")? })
}

#[async_trait]
impl Streams for SqliteStore {
    async fn end_stream(&self, stream: StreamId, last: &EventDraft) -> Result<Option<StoredEvent>> {
        let last = last.clone();
        self.writer.write(move |db| append(db, stream, &last, true)).await
    }

    async fn events_after(&self, stream: StreamId, after: u64, limit: usize) -> Result<Option<Page>> {
        self.readers.read(move |db| page(db, stream, after, limit)).await
    }
}
