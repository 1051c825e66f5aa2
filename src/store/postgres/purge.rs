//! Deletes old history.

use super::columns::Count;
use super::failure::Outcome;
use super::query::get;
use super::transaction::Transaction;
use super::{sessions, users};
use crate::clock::Timestamp;
use crate::store::PurgeBefore;

/// The largest number of rows of a table in one write, so that its locks are held for a short time.
const CHUNK: u64 = 1_000;

/// The advisory lock of the one who purges.
const LOCK: i64 = i64::from_be_bytes(*b"PrtcPurg");

const REVOCATIONS: &str = "DELETE FROM revocations WHERE digest = ANY (ARRAY
    (SELECT digest FROM revocations WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";

const REPLAYS: &str = "DELETE FROM replays WHERE digest = ANY (ARRAY
    (SELECT digest FROM replays WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";

const SCANS: &str = "DELETE FROM scans WHERE event_id = ANY (ARRAY
    (SELECT event_id FROM scans WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";

const CHALLENGES: &str = "DELETE FROM challenges WHERE challenge = ANY (ARRAY
    (SELECT challenge FROM challenges WHERE created_at < $1 AND closed_at IS NOT NULL
     LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Their subkeys go with them. One who logs in at this moment stays.
const STRANGERS: &str = "DELETE FROM wallets WHERE key = ANY (ARRAY
    (SELECT key FROM wallets WHERE last_seen < $1 AND last_login IS NULL LIMIT $2 FOR UPDATE SKIP LOCKED))";

const AUDIT: &str = "DELETE FROM audit WHERE number = ANY (ARRAY
    (SELECT number FROM audit WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// The events of old streams go first, the oldest first, together with their deliveries. So a stream with very many
/// events goes in several writes; the rest of it can be read meanwhile.
const EVENTS: &str = "DELETE FROM events USING
    (SELECT events.stream, events.idx FROM streams JOIN events ON events.stream = streams.id
     WHERE ended_at < $1
     AND NOT EXISTS (SELECT 1 FROM challenges WHERE challenges.stream = streams.id)
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = streams.id)
     AND NOT EXISTS (SELECT 1 FROM deliveries
         WHERE deliveries.stream = streams.id AND failed_at IS NULL AND since >= $3)
     ORDER BY ended_at, streams.id, events.idx LIMIT $2) AS old
    WHERE events.stream = old.stream AND events.idx = old.idx";

/// A stream ends with an event, so an ended stream without events is being deleted.
const STREAMS: &str = "DELETE FROM streams WHERE id = ANY (ARRAY
    (SELECT id FROM streams WHERE ended_at < $1
     AND NOT EXISTS (SELECT 1 FROM events WHERE events.stream = streams.id)
     AND NOT EXISTS (SELECT 1 FROM challenges WHERE challenges.stream = streams.id)
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = streams.id)
     ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Deletes a chunk of each kind; returns the number of rows. Zero: there is nothing left to delete, or another daemon
/// deletes it at this moment.
pub(super) async fn chunk(db: &Transaction<'_>, before: &PurgeBefore) -> Outcome<u64> {
    let row = db.first("SELECT pg_try_advisory_xact_lock($1) AS taken", &[&LOCK]).await?;
    if !row.map_or(Ok(false), |row| get(&row, "taken"))? {
        return Ok(0);
    }
    let mut gone = db.run(EVENTS, &[&before.streams, &Count(CHUNK), &before.deliveries]).await?;
    let simple: [(&str, Timestamp); 5] = [
        (REVOCATIONS, before.revocations),
        (REPLAYS, before.replays),
        (SCANS, before.scans),
        (CHALLENGES, before.challenges),
        (STRANGERS, before.strangers),
    ];
    for (sql, before) in simple {
        gone += db.run(sql, &[&before, &Count(CHUNK)]).await?;
    }
    gone += sessions::purge(db, before.sessions, Count(CHUNK)).await?;
    gone += users::purge(db, before.users, Count(CHUNK), before.at).await?;
    for (sql, before) in [(AUDIT, before.audit), (STREAMS, before.streams)] {
        gone += db.run(sql, &[&before, &Count(CHUNK)]).await?;
    }
    Ok(gone)
}
