//! Sessions. Each has its own stream, which ends with the session. The stream is locked first.

use tokio_postgres::Row;

use super::columns::{Bytes, Count};
use super::conditions::Conditions;
use super::failure::Outcome;
use super::query::{get, read_all};
use super::readers::Readers;
use super::transaction::Transaction;
use super::{streams, users};
use crate::clock::Timestamp;
use crate::store::{Ended, EventDraft, Session, SessionChoice, StoreError, StreamId, User, UserId};

const SELECT: &str =
    "SELECT id, user_id, credential, created_at, expires_at, ended_at, ended_by FROM sessions";

/// How many columns a session has.
const OF_A_SESSION: usize = 7;

/// Adds a session; its stream exists already.
pub(super) async fn insert(db: &Transaction<'_>, session: &Session) -> Outcome<()> {
    let sql = "INSERT INTO sessions (id, user_id, credential, created_at, expires_at, ended_at, ended_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (ended_at, ended_by) = session.ended.clone().unzip();
    db.run(
        sql,
        &[
            &session.id,
            &session.user,
            &Bytes(session.credential),
            &session.created_at,
            &session.expires_at,
            &ended_at,
            &ended_by,
        ],
    )
    .await?;
    Ok(())
}

/// Ends the oldest sessions of a user that are active at `now`, until at most `keep` are left. The user must be locked.
pub(super) async fn make_room(
    db: &Transaction<'_>,
    user: UserId,
    now: Timestamp,
    keep: usize,
    why: &(String, EventDraft),
) -> Outcome<Vec<Ended>> {
    let sql = "SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
        ORDER BY id DESC OFFSET $3";
    let mut beyond = db.all(sql, &[&user, &now, &Count(keep as u64)]).await?;
    beyond.reverse();
    end_all(db, &beyond, why).await
}

/// Ends the selected sessions that have not been ended, the oldest first.
pub(super) async fn end(
    db: &Transaction<'_>,
    which: SessionChoice,
    why: &(String, EventDraft),
) -> Outcome<Vec<Ended>> {
    let open = match which {
        SessionChoice::One(id) => {
            db.all("SELECT id FROM sessions WHERE id = $1 AND ended_at IS NULL", &[&id]).await?
        }
        SessionChoice::AllOf(user) => {
            let sql = "SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL ORDER BY id";
            db.all(sql, &[&user]).await?
        }
        SessionChoice::RestingOn(credential) => {
            let sql = "SELECT id FROM sessions WHERE credential = $1 AND ended_at IS NULL ORDER BY id";
            db.all(sql, &[&Bytes(credential)]).await?
        }
    };
    end_all(db, &open, why).await
}

async fn end_all(db: &Transaction<'_>, open: &[Row], why: &(String, EventDraft)) -> Outcome<Vec<Ended>> {
    let mut ended = Vec::with_capacity(open.len());
    for row in open {
        ended.extend(end_one(db, get(row, "id")?, why).await?);
    }
    Ok(ended)
}

/// Ends a session. `None`: it was ended, or deleted, since it was listed.
async fn end_one(
    db: &Transaction<'_>,
    id: StreamId,
    (reason, last): &(String, EventDraft),
) -> Outcome<Option<Ended>> {
    let event = streams::append(db, id, last, true).await?;
    let sql = "UPDATE sessions SET ended_at = $2, ended_by = $3 WHERE id = $1 AND ended_at IS NULL";
    let ended = db.run(sql, &[&id, &last.at, reason]).await? > 0;
    match (event, ended) {
        (Some(event), true) => Ok(Some(Ended { session: id, event })),
        (None, false) => Ok(None),
        _ => Err(StoreError::Corrupt(format!("session {id} and its stream have not ended together")).into()),
    }
}

/// Renews a session with another credential, until this time. Returns `false` if it was ended.
pub(super) async fn carry_on(
    db: &Transaction<'_>,
    id: StreamId,
    credential: &[u8; 32],
    expires_at: Timestamp,
) -> Outcome<bool> {
    let sql = "UPDATE sessions SET credential = $2, expires_at = $3 WHERE id = $1 AND ended_at IS NULL";
    Ok(db.run(sql, &[&id, &Bytes(*credential), &expires_at]).await? > 0)
}

/// Deletes the sessions of a user; they were ended before.
pub(super) async fn delete_of(db: &Transaction<'_>, user: UserId) -> Outcome<()> {
    db.run("DELETE FROM sessions WHERE user_id = $1", &[&user]).await?;
    Ok(())
}

/// Deletes at most `limit` sessions that were ended, or expired, before `before`. The stream of an expired one counts as
/// ended from its expiry.
pub(super) async fn purge(db: &Transaction<'_>, before: Timestamp, limit: Count) -> Outcome<u64> {
    let sql = "DELETE FROM sessions WHERE id = ANY (ARRAY
        (SELECT id FROM sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    let ended = db.run(sql, &[&before, &limit]).await?;
    let sql = "SELECT id FROM streams WHERE id = ANY (ARRAY
            (SELECT id FROM sessions WHERE ended_at IS NULL AND expires_at < $1 ORDER BY expires_at LIMIT $2))
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED";
    let expired: Vec<StreamId> = read_all(&db.all(sql, &[&before, &limit]).await?, |row| get(row, "id"))?;
    // One that was renewed in the meantime stays.
    let sql =
        "WITH gone AS (DELETE FROM sessions WHERE id = ANY ($1) AND ended_at IS NULL AND expires_at < $2
            RETURNING id, expires_at)
        UPDATE streams SET ended_at = gone.expires_at FROM gone WHERE streams.id = gone.id";
    Ok(ended + db.run(sql, &[&expired, &before]).await?)
}

/// A session, ended or not.
pub(super) async fn find(db: &Readers, id: StreamId) -> Outcome<Option<Session>> {
    let row = db.first(&format!("{SELECT} WHERE id = $1"), &[&id]).await?;
    row.as_ref().map(read).transpose()
}

/// A session, ended or not, and its user.
pub(super) async fn find_with_user(db: &Readers, id: StreamId) -> Outcome<Option<(Session, User)>> {
    let sql = format!(
        "SELECT sessions.id, user_id, credential, sessions.created_at, expires_at, ended_at, ended_by, {}
         FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = $1",
        users::COLUMNS
    );
    let Some(row) = db.first(&sql, &[&id]).await? else { return Ok(None) };
    Ok(Some((read(&row)?, users::read_after(&row, OF_A_SESSION)?)))
}

/// The latest session with this credential; one that has not been ended comes first.
pub(super) async fn of_credential(db: &Readers, credential: &[u8; 32]) -> Outcome<Option<Session>> {
    let sql = format!("{SELECT} WHERE credential = $1 ORDER BY ended_at IS NOT NULL, id DESC LIMIT 1");
    let row = db.first(&sql, &[&Bytes(*credential)]).await?;
    row.as_ref().map(read).transpose()
}

/// At most `limit` sessions of a user before `before`, the latest first.
pub(super) async fn of_user(
    db: &Readers,
    user: UserId,
    before: Option<StreamId>,
    limit: usize,
) -> Outcome<Vec<Session>> {
    let limit = Count(limit as u64);
    let (sql, values) = Conditions::default()
        .and("user_id = ?", Some(&user))
        .and("id < ?", before.as_ref())
        .into_query(SELECT, " ORDER BY id DESC LIMIT ?", &limit);
    read_all(&db.all(&sql, &values).await?, read)
}

/// How many sessions are active at `now`.
pub(super) async fn count_active(db: &Readers, now: Timestamp) -> Outcome<u64> {
    let sql = "SELECT count(*) AS active FROM sessions WHERE ended_at IS NULL AND expires_at > $1";
    let row = db.first(sql, &[&now]).await?;
    let Count(active) = row.map_or(Ok(Count(0)), |row| get(&row, "active"))?;
    Ok(active)
}

fn read(row: &Row) -> Outcome<Session> {
    let (ended_at, ended_by): (Option<Timestamp>, Option<String>) =
        (get(row, "ended_at")?, get(row, "ended_by")?);
    let Bytes(credential) = get(row, "credential")?;
    Ok(Session {
        id: get(row, "id")?,
        user: get(row, "user_id")?,
        credential,
        created_at: get(row, "created_at")?,
        expires_at: get(row, "expires_at")?,
        ended: ended_at.zip(ended_by),
    })
}
