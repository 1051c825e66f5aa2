//! Dropping history that is of no more use.

use rusqlite::{Connection, params};

use crate::clock::Timestamp;
use crate::store::{PurgeBefore, Result};

/// The most rows of a table that go in one write, so that logins need not wait for a big purge.
const CHUNK: u32 = 1_000;

const REVOCATIONS: &str = "DELETE FROM revocations WHERE digest IN
    (SELECT digest FROM revocations WHERE expires_at < ?1 LIMIT ?2)";

const SCANS: &str = "DELETE FROM scans WHERE event_id IN
    (SELECT event_id FROM scans WHERE at < ?1 LIMIT ?2)";

const CHALLENGES: &str = "DELETE FROM challenges WHERE challenge IN
    (SELECT challenge FROM challenges WHERE created_at < ?1 AND closed_at IS NOT NULL LIMIT ?2)";

/// Their subkeys go with them.
const STRANGERS: &str = "DELETE FROM users WHERE key IN
    (SELECT key FROM users WHERE last_seen < ?1 AND last_login IS NULL LIMIT ?2)";

/// Drops a chunk of each kind; returns how many rows went. Zero: there is nothing left to drop.
pub(super) fn chunk(db: &Connection, before: &PurgeBefore) -> Result<u64> {
    let drop = |sql: &str, before: Timestamp| -> Result<u64> {
        Ok(db.prepare_cached(sql)?.execute(params![before, CHUNK])? as u64)
    };
    Ok(drop(REVOCATIONS, before.revocations)?
        + drop(SCANS, before.scans)?
        + drop(CHALLENGES, before.challenges)?
        + drop(STRANGERS, before.strangers)?)
}
