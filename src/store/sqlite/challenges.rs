//! Challenges: open ones complete, closed ones only as a record of who was asked and when.

use nostr_sdk::PublicKey;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{Json, Key};
use super::transaction::Transaction;
use super::{accounts, streams, wallets};
use crate::clock::Timestamp;
use crate::store::{Approval, Begun, Challenge, Envelope, EventDraft, Result, StoredEvent, StreamId};

/// Opens a challenge on a new stream of its own.
pub(super) fn open(db: &Connection, challenge: &Challenge) -> Result<()> {
    streams::begin(db, challenge.stream, challenge.created_at)?;
    insert(db, challenge)
}

/// Opens a challenge on an existing stream.
pub(super) fn insert(db: &Connection, challenge: &Challenge) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO challenges
         (challenge, stream, user, relays, envelopes, renewals, ends_stream, is_login, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        challenge.challenge,
        challenge.stream,
        Key(challenge.user),
        Json(&challenge.relays),
        envelopes_column(&challenge.envelopes),
        challenge.renewals,
        challenge.ends_stream,
        challenge.is_login,
        challenge.created_at,
        challenge.expires_at,
    ])?;
    Ok(())
}

/// Adds an event to a challenge, in place of the one for the same recipient. Returns `false` if the challenge
/// is not open.
pub(super) fn put_envelope(
    db: &Connection,
    challenge: &str,
    envelope: &Envelope,
    renewals: u8,
) -> Result<bool> {
    let open = db
        .prepare_cached("SELECT envelopes FROM challenges WHERE challenge = ?1 AND closed_at IS NULL")?
        .query_row([challenge], |row| read_envelopes(row.get("envelopes")?))
        .optional()?;
    let Some(mut envelopes) = open else { return Ok(false) };
    match envelopes.iter_mut().find(|known| known.recipient == envelope.recipient) {
        Some(known) => known.clone_from(envelope),
        None => envelopes.push(envelope.clone()),
    }
    db.prepare_cached("UPDATE challenges SET envelopes = ?2, renewals = ?3 WHERE challenge = ?1")?
        .execute(params![challenge, envelopes_column(&envelopes), renewals])?;
    Ok(true)
}

/// Ends a challenge with its outcome, and does what follows from its approval. Returns `None`, and does
/// nothing, if it is not open.
pub(super) fn close(
    db: &Transaction<'_>,
    challenge: &str,
    outcome: &EventDraft,
    approval: Option<&Approval>,
) -> Result<Option<(StoredEvent, Option<Begun>)>> {
    let closed = db
        .prepare_cached(
            "UPDATE challenges SET closed_at = ?2, relays = '[]', envelopes = '[]'
             WHERE challenge = ?1 AND closed_at IS NULL RETURNING stream, ends_stream",
        )?
        .query_row(params![challenge, outcome.at], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((stream, ends_stream)) = closed else { return Ok(None) };
    if let Some(approval) = approval {
        wallets::logged_in(db, &approval.wallet, outcome.at)?;
    }
    let Some(event) = streams::append(db, stream, outcome, ends_stream)? else { return Ok(None) };
    let session = approval.and_then(|approval| approval.session.as_ref());
    Ok(Some((event, session.map(|login| accounts::begin_session(db, login)).transpose()?)))
}

/// Closes every challenge that is open on a stream.
pub(super) fn close_all_of(db: &Connection, stream: StreamId, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE challenges SET closed_at = ?2, relays = '[]', envelopes = '[]'
         WHERE stream = ?1 AND closed_at IS NULL",
    )?
    .execute(params![stream, at])?;
    Ok(())
}

/// All open challenges, the oldest first.
pub(super) fn all_open(db: &Connection) -> Result<Vec<Challenge>> {
    // Left alone, SQLite would rather sort by an index of all challenges and read every closed one.
    let mut query = db.prepare_cached(
        "SELECT challenge, stream, user, relays, envelopes, renewals, ends_stream, is_login, created_at, expires_at
         FROM challenges INDEXED BY challenges_open WHERE closed_at IS NULL ORDER BY created_at, challenge",
    )?;
    Ok(query.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Who was asked since that moment, the earliest first.
pub(super) fn asked_since(db: &Connection, since: Timestamp) -> Result<Vec<(PublicKey, Timestamp)>> {
    let mut query = db.prepare_cached(
        "SELECT user, created_at FROM challenges WHERE created_at >= ?1 ORDER BY created_at, user",
    )?;
    let asked = query.query_map([since], |row| Ok((row.get::<_, Key>(0)?.0, row.get(1)?)))?;
    Ok(asked.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Challenge> {
    let Key(user) = row.get("user")?;
    let Json(relays) = row.get("relays")?;
    Ok(Challenge {
        challenge: row.get("challenge")?,
        stream: row.get("stream")?,
        user,
        relays,
        envelopes: read_envelopes(row.get("envelopes")?)?,
        renewals: row.get("renewals")?,
        ends_stream: row.get("ends_stream")?,
        is_login: row.get("is_login")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}

fn read_envelopes(Json(pairs): Json<Vec<(PublicKey, String)>>) -> rusqlite::Result<Vec<Envelope>> {
    Ok(pairs.into_iter().map(|(recipient, event)| Envelope { recipient, event }).collect())
}

/// Pairs of a recipient and an event.
fn envelopes_column(envelopes: &[Envelope]) -> Json<Vec<(&PublicKey, &str)>> {
    Json(envelopes.iter().map(|envelope| (&envelope.recipient, envelope.event.as_str())).collect())
}
