//! Scans of handshake URLs.

use rusqlite::{Connection, params};

use super::transaction::Transaction;
use super::{challenges, handshakes, streams, wallets};
use crate::store::{Result, Scan, StoredEvent, StreamId};

/// Records a scan on each of its streams with an open handshake.
///
/// A stream ends with a one-time scan unless the challenge continues there; the challenge is opened if its
/// stream is in the result. A scan that finds nothing open is not stored, not even its event's id: it had no
/// effect that a replay could repeat, and strangers cannot fill the table with useless ids.
pub(super) fn record(db: &Transaction<'_>, scan: &Scan) -> Result<Option<Vec<(StreamId, StoredEvent)>>> {
    if is_known(db, &scan.event_id)? {
        return Ok(None);
    }
    let challenge = scan.challenge.as_ref();
    let mut stored = Vec::with_capacity(scan.events.len());
    for (stream, draft) in &scan.events {
        if !handshakes::is_open(db, *stream)? {
            continue;
        }
        if scan.one_time {
            handshakes::remove(db, *stream)?;
        }
        let goes_on = challenge.is_some_and(|challenge| challenge.stream == *stream);
        if let Some(event) = streams::append(db, *stream, draft, scan.one_time && !goes_on)? {
            stored.push((*stream, event));
        }
    }
    if stored.is_empty() {
        return Ok(None);
    }
    db.prepare_cached("INSERT INTO scans (event_id, at) VALUES (?1, ?2)")?
        .execute(params![scan.event_id, scan.at])?;
    wallets::scanned(db, &scan.user, &scan.preferred_relays, scan.at)?;
    if let Some(challenge) = challenge
        && stored.iter().any(|(stream, _)| *stream == challenge.stream)
    {
        challenges::insert(db, challenge)?;
    }
    Ok(Some(stored))
}

fn is_known(db: &Connection, event_id: &[u8; 32]) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM scans WHERE event_id = ?1")?.exists([event_id])?)
}
