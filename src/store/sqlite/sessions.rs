//! Sessions. Each has its own stream, which ends with the session.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::Count;
use super::conditions::Conditions;
use super::memory::Changed;
use super::streams;
use super::transaction::Transaction;
use crate::clock::Timestamp;
use crate::store::{Ended, EventDraft, Result, Session, SessionChoice, StoreError, StreamId, UserId};

const SELECT: &str = "SELECT id, user, credential, created_at, expires_at, ended_at, ended_by FROM sessions";

/// Adds a session; its stream exists already.
pub(super) fn insert(db: &Connection, session: &Session) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO sessions (id, user, credential, created_at, expires_at, ended_at, ended_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        session.id,
        session.user,
        session.credential,
        session.created_at,
        session.expires_at,
        session.ended.as_ref().map(|(at, _)| at),
        session.ended.as_ref().map(|(_, why)| why),
    ])?;
    Ok(())
}

/// Ends the oldest sessions of a user that are active at `now`, until at most `keep` are left.
pub(super) fn make_room(
    db: &Transaction<'_>,
    user: UserId,
    now: Timestamp,
    keep: usize,
    why: &(String, EventDraft),
) -> Result<Vec<Ended>> {
    let mut query = db.prepare_cached(
        "SELECT id FROM sessions WHERE user = ?1 AND ended_at IS NULL AND expires_at > ?2
         ORDER BY id DESC LIMIT -1 OFFSET ?3",
    )?;
    let beyond = query.query_map(params![user, now, Count(keep as u64)], |row| row.get(0))?;
    let mut beyond: Vec<StreamId> = beyond.collect::<rusqlite::Result<_>>()?;
    beyond.reverse();
    beyond.into_iter().map(|id| end_one(db, id, why)).collect()
}

/// Ends the selected sessions that have not been ended, the oldest first.
pub(super) fn end(
    db: &Transaction<'_>,
    which: SessionChoice,
    why: &(String, EventDraft),
) -> Result<Vec<Ended>> {
    let (sql, whose): (_, &dyn rusqlite::ToSql) = match &which {
        SessionChoice::One(id) => ("SELECT id FROM sessions WHERE id = ?1 AND ended_at IS NULL", id),
        SessionChoice::AllOf(user) => {
            ("SELECT id FROM sessions WHERE user = ?1 AND ended_at IS NULL ORDER BY id", user)
        }
        SessionChoice::RestingOn(credential) => {
            ("SELECT id FROM sessions WHERE credential = ?1 AND ended_at IS NULL ORDER BY id", credential)
        }
    };
    let open: Vec<StreamId> =
        db.prepare_cached(sql)?.query_map([whose], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    open.into_iter().map(|id| end_one(db, id, why)).collect()
}

fn end_one(db: &Transaction<'_>, id: StreamId, (reason, last): &(String, EventDraft)) -> Result<Ended> {
    db.prepare_cached("UPDATE sessions SET ended_at = ?2, ended_by = ?3 WHERE id = ?1")?
        .execute(params![id, last.at, reason])?;
    db.note(Changed::Session(id));
    let event = streams::append(db, id, last, true)?
        .ok_or_else(|| StoreError::Corrupt(format!("session {id} is active, but its stream has ended")))?;
    Ok(Ended { session: id, event })
}

/// Renews a session with another credential, until this time. Returns `false` if it was ended.
pub(super) fn carry_on(
    db: &Transaction<'_>,
    id: StreamId,
    credential: &[u8; 32],
    expires_at: Timestamp,
) -> Result<bool> {
    let changed = db
        .prepare_cached(
            "UPDATE sessions SET credential = ?2, expires_at = ?3 WHERE id = ?1 AND ended_at IS NULL",
        )?
        .execute(params![id, credential, expires_at])?;
    db.note(Changed::Session(id));
    Ok(changed > 0)
}

/// Deletes the sessions of a user; they were ended before.
pub(super) fn delete_of(db: &Transaction<'_>, user: UserId) -> Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM sessions WHERE user = ?1 RETURNING id")?;
    for id in delete.query_map([user], |row| row.get(0))? {
        db.note(Changed::Session(id?));
    }
    Ok(())
}

/// Deletes at most `limit` sessions that were ended, or expired, before `before`. The stream of an expired
/// one counts as ended from its expiry.
pub(super) fn purge(db: &Transaction<'_>, before: Timestamp, limit: u32) -> Result<u64> {
    let ended: Vec<StreamId> = db
        .prepare_cached(
            "DELETE FROM sessions WHERE id IN
             (SELECT id FROM sessions WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2) RETURNING id",
        )?
        .query_map(params![before, limit], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let ran_out: Vec<(StreamId, Timestamp)> = db
        .prepare_cached(
            "DELETE FROM sessions WHERE id IN
             (SELECT id FROM sessions WHERE ended_at IS NULL AND expires_at < ?1 ORDER BY expires_at LIMIT ?2)
             RETURNING id, expires_at",
        )?
        .query_map(params![before, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut end_stream = db.prepare_cached("UPDATE streams SET ended_at = ?2 WHERE id = ?1")?;
    for stream in &ran_out {
        end_stream.execute(params![stream.0, stream.1])?;
    }
    let gone = ended.iter().chain(ran_out.iter().map(|(id, _)| id));
    gone.for_each(|id| db.note(Changed::Session(*id)));
    Ok((ended.len() + ran_out.len()) as u64)
}

/// A session, ended or not.
pub(super) fn find(db: &Connection, id: StreamId) -> Result<Option<Session>> {
    let mut query = db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    Ok(query.query_row([id], read).optional()?)
}

/// The latest session with this credential; one that has not been ended comes first.
pub(super) fn of_credential(db: &Connection, credential: &[u8; 32]) -> Result<Option<Session>> {
    let mut query = db.prepare_cached(&format!(
        "{SELECT} WHERE credential = ?1 ORDER BY ended_at IS NOT NULL, id DESC LIMIT 1"
    ))?;
    Ok(query.query_row([credential], read).optional()?)
}

/// At most `limit` sessions of a user before `before`, the latest first.
pub(super) fn of_user(
    db: &Connection,
    user: UserId,
    before: Option<StreamId>,
    limit: usize,
) -> Result<Vec<Session>> {
    let limit = Count(limit as u64);
    let (sql, values) = Conditions::default()
        .and("user = ?", Some(&user))
        .and("id < ?", before.as_ref())
        .into_query(SELECT, " ORDER BY id DESC LIMIT ?", &limit);
    Ok(db.prepare_cached(&sql)?.query_map(values.as_slice(), read)?.collect::<rusqlite::Result<_>>()?)
}

/// How many sessions are active at `now`.
pub(super) fn count_active(db: &Connection, now: Timestamp) -> Result<u64> {
    let Count(active) = db
        .prepare_cached("SELECT count(*) FROM sessions WHERE ended_at IS NULL AND expires_at > ?1")?
        .query_row([now], |row| row.get(0))?;
    Ok(active)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    let (ended_at, ended_by): (Option<Timestamp>, Option<String>) =
        (row.get("ended_at")?, row.get("ended_by")?);
    Ok(Session {
        id: row.get("id")?,
        user: row.get("user")?,
        credential: row.get("credential")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        ended: ended_at.zip(ended_by),
    })
}
