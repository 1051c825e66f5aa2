//! Challenges: open ones complete, closed ones only as a record of who was asked and when.

use nostr_sdk::PublicKey;
use tokio_postgres::Row;

use super::columns::{Json, Key, Small};
use super::failure::{Failure, Outcome};
use super::query::{Db, get, read_all};
use super::transaction::Transaction;
use super::{accounts, streams, users, wallets};
use crate::clock::Timestamp;
use crate::store::{Approval, Begun, Challenge, Envelope, EventDraft, StoreError, StoredEvent, StreamId};

/// Opens a challenge on a new stream of its own.
pub(super) async fn open(db: &Transaction<'_>, challenge: &Challenge) -> Outcome<()> {
    streams::begin(db, challenge.stream, challenge.created_at).await?;
    insert(db, challenge).await
}

/// Opens a challenge on an existing stream.
pub(super) async fn insert(db: &Transaction<'_>, challenge: &Challenge) -> Outcome<()> {
    db.run(
        "INSERT INTO challenges
         (challenge, stream, user_key, relays, envelopes, renewals, ends_stream, is_login, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &challenge.challenge,
            &challenge.stream,
            &Key(challenge.user),
            &Json(&challenge.relays),
            &envelopes_column(&challenge.envelopes),
            &Small(challenge.renewals.into()),
            &challenge.ends_stream,
            &challenge.is_login,
            &challenge.created_at,
            &challenge.expires_at,
        ],
    )
    .await?;
    Ok(())
}

/// Adds an event to a challenge, in place of the one for the same recipient. Returns `false` if the challenge is not
/// open.
pub(super) async fn put_envelope(
    db: &Transaction<'_>,
    challenge: &str,
    envelope: &Envelope,
    renewals: u8,
) -> Outcome<bool> {
    let sql = "SELECT envelopes FROM challenges WHERE challenge = $1 AND closed_at IS NULL FOR UPDATE";
    let Some(row) = db.first(sql, &[&challenge]).await? else { return Ok(false) };
    let mut envelopes = read_envelopes(get(&row, "envelopes")?);
    match envelopes.iter_mut().find(|known| known.recipient == envelope.recipient) {
        Some(known) => known.clone_from(envelope),
        None => envelopes.push(envelope.clone()),
    }
    db.run(
        "UPDATE challenges SET envelopes = $2, renewals = $3 WHERE challenge = $1",
        &[&challenge, &envelopes_column(&envelopes), &Small(renewals.into())],
    )
    .await?;
    Ok(true)
}

/// Ends a challenge with its outcome, and does what follows from its approval. Returns `None`, and does nothing, if it is
/// not open.
pub(super) async fn close(
    db: &Transaction<'_>,
    challenge: &str,
    outcome: &EventDraft,
    approval: Option<&Approval>,
) -> Outcome<Option<(StoredEvent, Option<Begun>)>> {
    let sql = "SELECT stream, ends_stream FROM challenges WHERE challenge = $1 AND closed_at IS NULL";
    let Some(open) = db.first(sql, &[&challenge]).await? else { return Ok(None) };
    let (stream, ends_stream) = (get(&open, "stream")?, get(&open, "ends_stream")?);
    let login = approval.and_then(|approval| approval.session.as_ref());
    // The user is locked first, then the stream, then the challenge: as everywhere.
    if let Some(login) = login {
        users::log_in(db, &login.user, login.known_as, login.session.created_at).await?;
    }
    if !(streams::lock_open(db, stream).await? && close_one(db, challenge, outcome.at).await?) {
        // Somebody else ended it since it was read.
        db.undo();
        return Ok(None);
    }
    let Some(event) = streams::append(db, stream, outcome, ends_stream).await? else {
        db.undo();
        return Ok(None);
    };
    let begun = match login {
        Some(login) => Some(accounts::begin_session_of_known(db, login).await?),
        None => None,
    };
    if let Some(approval) = approval {
        wallets::logged_in(db, &approval.wallet, outcome.at).await?;
    }
    Ok(Some((event, begun)))
}

async fn close_one(db: &Transaction<'_>, challenge: &str, at: Timestamp) -> Outcome<bool> {
    let sql = "UPDATE challenges SET closed_at = $2, relays = '[]', envelopes = '[]'
        WHERE challenge = $1 AND closed_at IS NULL";
    Ok(db.run(sql, &[&challenge, &at]).await? > 0)
}

/// Closes every challenge that is open on a stream. The stream must be locked.
pub(super) async fn close_all_of(db: &Transaction<'_>, stream: StreamId, at: Timestamp) -> Outcome<()> {
    let sql = "UPDATE challenges SET closed_at = $2, relays = '[]', envelopes = '[]'
        WHERE stream = $1 AND closed_at IS NULL";
    db.run(sql, &[&stream, &at]).await?;
    Ok(())
}

/// All open challenges, the oldest first.
pub(super) async fn all_open(db: Db<'_>) -> Outcome<Vec<Challenge>> {
    let sql =
        "SELECT challenge, stream, user_key, relays, envelopes, renewals, ends_stream, is_login, created_at,
            expires_at
        FROM challenges WHERE closed_at IS NULL ORDER BY created_at, challenge";
    read_all(&db.all(sql, &[]).await?, read)
}

/// Who was asked since that moment, the earliest first.
pub(super) async fn asked_since(db: Db<'_>, since: Timestamp) -> Outcome<Vec<(PublicKey, Timestamp)>> {
    let sql =
        "SELECT user_key, created_at FROM challenges WHERE created_at >= $1 ORDER BY created_at, user_key";
    read_all(&db.all(sql, &[&since]).await?, |row| {
        let Key(user) = get(row, "user_key")?;
        Ok((user, get(row, "created_at")?))
    })
}

fn read(row: &Row) -> Outcome<Challenge> {
    let Key(user) = get(row, "user_key")?;
    let (Json(relays), Small(renewals)) = (get(row, "relays")?, get(row, "renewals")?);
    let renewals = renewals.try_into();
    Ok(Challenge {
        challenge: get(row, "challenge")?,
        stream: get(row, "stream")?,
        user,
        relays,
        envelopes: read_envelopes(get(row, "envelopes")?),
        renewals: renewals.map_err(|_| Failure::Final(StoreError::Corrupt("too many renewals".into())))?,
        ends_stream: get(row, "ends_stream")?,
        is_login: get(row, "is_login")?,
        created_at: get(row, "created_at")?,
        expires_at: get(row, "expires_at")?,
    })
}

fn read_envelopes(Json(pairs): Json<Vec<(PublicKey, String)>>) -> Vec<Envelope> {
    pairs.into_iter().map(|(recipient, event)| Envelope { recipient, event }).collect()
}

/// Pairs of a recipient and an event.
fn envelopes_column(envelopes: &[Envelope]) -> Json<Vec<(&PublicKey, &str)>> {
    Json(envelopes.iter().map(|envelope| (&envelope.recipient, envelope.event.as_str())).collect())
}
