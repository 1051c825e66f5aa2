//! Open handshake URLs.

use tokio_postgres::Row;

use super::failure::{Failure, Outcome};
use super::query::{Db, get, read_all};
use super::streams;
use super::transaction::Transaction;
use crate::store::{Handshake, StoreError, StreamId};

/// Opens a handshake and its stream.
pub(super) async fn open(db: &Transaction<'_>, handshake: &Handshake) -> Outcome<()> {
    streams::begin(db, handshake.stream, handshake.created_at).await?;
    db.run(
        "INSERT INTO handshakes (stream, token, kind, no_request, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            &handshake.stream,
            &handshake.token.as_bytes(),
            &handshake.kind,
            &handshake.no_request,
            &handshake.created_at,
            &handshake.expires_at,
        ],
    )
    .await?;
    Ok(())
}

/// Whether the handshake of this stream is open. The stream must be locked.
pub(super) async fn is_open(db: &Transaction<'_>, stream: StreamId) -> Outcome<bool> {
    Ok(db.first("SELECT 1 FROM handshakes WHERE stream = $1", &[&stream]).await?.is_some())
}

/// Ends the handshake of this stream, if it is open. The stream must be locked.
pub(super) async fn remove(db: &Transaction<'_>, stream: StreamId) -> Outcome<()> {
    db.run("DELETE FROM handshakes WHERE stream = $1", &[&stream]).await?;
    Ok(())
}

/// All open handshakes, the oldest first.
pub(super) async fn all_open(db: Db<'_>) -> Outcome<Vec<Handshake>> {
    let sql = "SELECT stream, token, kind, no_request, created_at, expires_at
        FROM handshakes ORDER BY created_at, stream";
    read_all(&db.all(sql, &[]).await?, read)
}

fn read(row: &Row) -> Outcome<Handshake> {
    let token = String::from_utf8(get(row, "token")?);
    Ok(Handshake {
        stream: get(row, "stream")?,
        token: token.map_err(|_| Failure::Final(StoreError::Corrupt("a token is not UTF-8".into())))?,
        kind: get(row, "kind")?,
        no_request: get(row, "no_request")?,
        created_at: get(row, "created_at")?,
        expires_at: get(row, "expires_at")?,
    })
}
