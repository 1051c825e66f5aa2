//! Scans of handshake URLs.

use std::collections::BTreeMap;

use super::columns::Bytes;
use super::failure::Outcome;
use super::transaction::Transaction;
use super::{challenges, handshakes, streams, wallets};
use crate::store::{Scan, StoredEvent, StreamId};

/// Records a scan on each of its streams with an open handshake.
///
/// A stream ends with a one-time scan unless the challenge continues there; the challenge is opened if its stream is in
/// the result. A scan that finds nothing open is not stored, not even its event's id: it had no effect that a replay could
/// repeat, and strangers cannot fill the table with useless ids.
pub(super) async fn record(
    db: &Transaction<'_>,
    scan: &Scan,
) -> Outcome<Option<Vec<(StreamId, StoredEvent)>>> {
    // First, so that others who record the same scan wait here, and find that it was recorded.
    let is_new = db
        .run(
            "INSERT INTO scans (event_id, at) VALUES ($1, $2) ON CONFLICT (event_id) DO NOTHING",
            &[&Bytes(scan.event_id), &scan.at],
        )
        .await?;
    if is_new == 0 {
        return Ok(None);
    }
    let stored = append_all(db, scan).await?;
    if stored.is_empty() {
        db.undo();
        return Ok(None);
    }
    if let Some(challenge) = &scan.challenge
        && stored.iter().any(|(stream, _)| *stream == challenge.stream)
    {
        challenges::insert(db, challenge).await?;
    }
    wallets::scanned(db, &scan.user, &scan.preferred_relays, scan.at).await?;
    Ok(Some(stored))
}

/// Locks the streams in the order of their ids, and returns the events in the order of the scan.
async fn append_all(db: &Transaction<'_>, scan: &Scan) -> Outcome<Vec<(StreamId, StoredEvent)>> {
    let drafts: BTreeMap<_, _> = scan.events.iter().map(|(stream, draft)| (*stream, draft)).collect();
    let mut stored = BTreeMap::new();
    for (stream, draft) in drafts {
        if !streams::lock_open(db, stream).await? || !handshakes::is_open(db, stream).await? {
            continue;
        }
        if scan.one_time {
            handshakes::remove(db, stream).await?;
        }
        let goes_on = scan.challenge.as_ref().is_some_and(|challenge| challenge.stream == stream);
        if let Some(event) = streams::append(db, stream, draft, scan.one_time && !goes_on).await? {
            stored.insert(stream, event);
        }
    }
    let in_order = scan.events.iter().filter_map(|(stream, _)| stored.remove_entry(stream));
    Ok(in_order.collect())
}
