//! Open handshake URLs.

use rusqlite::{Connection, Row, params};

use super::streams;
use crate::store::{Handshake, Result, StreamId};

/// Opens a handshake and its stream.
pub(super) fn open(db: &Connection, handshake: &Handshake) -> Result<()> {
    streams::begin(db, handshake.stream, handshake.created_at)?;
    db.prepare_cached(
        "INSERT INTO handshakes (stream, token, kind, no_request, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        handshake.stream,
        handshake.token,
        handshake.kind,
        handshake.no_request,
        handshake.created_at,
        handshake.expires_at,
    ])?;
    Ok(())
}

/// Whether the handshake of this stream is open.
pub(super) fn is_open(db: &Connection, stream: StreamId) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM handshakes WHERE stream = ?1")?.exists([stream])?)
}

/// Ends the handshake of this stream, if it is open.
pub(super) fn remove(db: &Connection, stream: StreamId) -> Result<()> {
    db.prepare_cached("DELETE FROM handshakes WHERE stream = ?1")?.execute([stream])?;
    Ok(())
}

/// All open handshakes, the oldest first.
pub(super) fn all_open(db: &Connection) -> Result<Vec<Handshake>> {
    let mut query = db.prepare_cached(
        "SELECT stream, token, kind, no_request, created_at, expires_at
         FROM handshakes ORDER BY created_at, stream",
    )?;
    Ok(query.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Handshake> {
    Ok(Handshake {
        stream: row.get("stream")?,
        token: row.get("token")?,
        kind: row.get("kind")?,
        no_request: row.get("no_request")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}
