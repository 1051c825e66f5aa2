//! Deletes old history.

use rusqlite::params;

use super::transaction::Transaction;
use super::{sessions, users};
use crate::clock::Timestamp;
use crate::store::{PurgeBefore, Result};

/// The largest number of rows of a table in one write, so that logins need not wait for a big purge.
const CHUNK: u32 = 1_000;

const REVOCATIONS: &str = "DELETE FROM revocations WHERE digest IN
    (SELECT digest FROM revocations WHERE expires_at < ?1 LIMIT ?2)";

const REPLAYS: &str = "DELETE FROM replays WHERE digest IN
    (SELECT digest FROM replays WHERE expires_at < ?1 LIMIT ?2)";

const SCANS: &str = "DELETE FROM scans WHERE event_id IN
    (SELECT event_id FROM scans WHERE at < ?1 LIMIT ?2)";

const CHALLENGES: &str = "DELETE FROM challenges WHERE challenge IN
    (SELECT challenge FROM challenges WHERE created_at < ?1 AND closed_at IS NOT NULL LIMIT ?2)";

/// Their subkeys go with them.
const STRANGERS: &str = "DELETE FROM wallets WHERE key IN
    (SELECT key FROM wallets WHERE last_seen < ?1 AND last_login IS NULL LIMIT ?2)";

const AUDIT: &str = "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE at < ?1 LIMIT ?2)";

/// The events of old streams go first, the oldest first, together with their deliveries. So a stream with
/// very many events goes in several writes; the rest of it can be read meanwhile.
const EVENTS: &str = "DELETE FROM events WHERE (stream, idx) IN
    (SELECT events.stream, events.idx FROM streams JOIN events ON events.stream = streams.id
     WHERE ended_at < ?1
     AND NOT EXISTS (SELECT 1 FROM challenges WHERE challenges.stream = streams.id)
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = streams.id)
     AND NOT EXISTS (SELECT 1 FROM deliveries
         WHERE deliveries.stream = streams.id AND failed_at IS NULL AND since >= ?3)
     ORDER BY ended_at, streams.id, events.idx LIMIT ?2)";

/// A stream ends with an event, so an ended stream without events is being deleted.
const STREAMS: &str = "DELETE FROM streams WHERE id IN
    (SELECT id FROM streams WHERE ended_at < ?1
     AND NOT EXISTS (SELECT 1 FROM events WHERE stream = streams.id)
     AND NOT EXISTS (SELECT 1 FROM challenges WHERE stream = streams.id)
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = streams.id)
     ORDER BY ended_at LIMIT ?2)";

/// Deletes a chunk of each kind; returns the number of rows. Zero: there is nothing left to delete.
pub(super) fn chunk(db: &Transaction<'_>, before: &PurgeBefore) -> Result<u64> {
    let drop = |sql: &str, before: Timestamp| -> Result<u64> {
        Ok(db.prepare_cached(sql)?.execute(params![before, CHUNK])? as u64)
    };
    let events = db.prepare_cached(EVENTS)?.execute(params![before.streams, CHUNK, before.deliveries])?;
    Ok(drop(REVOCATIONS, before.revocations)?
        + drop(REPLAYS, before.replays)?
        + drop(SCANS, before.scans)?
        + drop(CHALLENGES, before.challenges)?
        + drop(STRANGERS, before.strangers)?
        + sessions::purge(db, before.sessions, CHUNK)?
        + users::purge(db, before.users, CHUNK, before.at)?
        + drop(AUDIT, before.audit)?
        + events as u64
        + drop(STREAMS, before.streams)?)
}
