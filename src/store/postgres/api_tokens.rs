//! API tokens with names.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::columns::{Bytes, Count};
use super::failure::Outcome;
use super::query::{get, is_storable, read_all};
use super::transaction::Transaction;
use super::{PostgresStore, audit};
use crate::clock::Timestamp;
use crate::store::{ApiTokenId, ApiTokens, AuditDraft, Result, StoredApiToken};

/// The advisory lock of those who add a token: each counts all of them.
const LOCK: i64 = i64::from_be_bytes(*b"PrtcTokn");

async fn add(db: &Transaction<'_>, token: &StoredApiToken, max: usize, record: &AuditDraft) -> Outcome<bool> {
    db.all("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let row = db.first("SELECT count(*) AS count FROM api_tokens", &[]).await?;
    let Count(count) = row.map_or(Ok(Count(0)), |row| get(&row, "count"))?;
    if count >= max as u64 {
        return Ok(false);
    }
    let sql = "INSERT INTO api_tokens (id, name, secret_hash, rights, made_by, made_at, expires_at, used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    db.run(
        sql,
        &[
            &Bytes(token.id),
            &token.name,
            &Bytes(token.secret_hash),
            &token.rights,
            &token.made_by,
            &token.made_at,
            &token.expires_at,
            &token.used_at,
        ],
    )
    .await?;
    audit::record(db, std::slice::from_ref(record)).await?;
    Ok(true)
}

async fn revoke(db: &Transaction<'_>, name: &str, record: &AuditDraft) -> Outcome<Option<ApiTokenId>> {
    if !is_storable(name) {
        return Ok(None);
    }
    let revoked = db.first("DELETE FROM api_tokens WHERE name = $1 RETURNING id", &[&name]).await?;
    let Some(row) = revoked else { return Ok(None) };
    audit::record(db, std::slice::from_ref(record)).await?;
    let Bytes(id) = get(&row, "id")?;
    Ok(Some(id))
}

/// Always in one order, so that two daemons do not wait for each other's tokens.
async fn note_use(db: &Transaction<'_>, used: &[(ApiTokenId, Timestamp)]) -> Outcome<()> {
    let mut used = used.to_vec();
    used.sort_unstable_by_key(|(id, _)| *id);
    for (id, at) in used {
        db.run("UPDATE api_tokens SET used_at = $2 WHERE id = $1", &[&Bytes(id), &at]).await?;
    }
    Ok(())
}

fn read(row: &Row) -> Outcome<StoredApiToken> {
    let (Bytes(id), Bytes(secret_hash)) = (get(row, "id")?, get(row, "secret_hash")?);
    Ok(StoredApiToken {
        id,
        name: get(row, "name")?,
        secret_hash,
        rights: get(row, "rights")?,
        made_by: get(row, "made_by")?,
        made_at: get(row, "made_at")?,
        expires_at: get(row, "expires_at")?,
        used_at: get(row, "used_at")?,
    })
}

#[async_trait]
impl ApiTokens for PostgresStore {
    async fn add_api_token(&self, token: &StoredApiToken, max: usize, audit: &AuditDraft) -> Result<bool> {
        let asked = (token.clone(), audit.clone());
        self.writer.write(asked, move |db, (token, audit)| add(db, token, max, audit).boxed()).await
    }

    async fn revoke_api_token(&self, name: &str, audit: &AuditDraft) -> Result<Option<ApiTokenId>> {
        let asked = (name.to_owned(), audit.clone());
        self.writer.write(asked, |db, (name, audit)| revoke(db, name, audit).boxed()).await
    }

    async fn api_tokens(&self) -> Result<Vec<StoredApiToken>> {
        let sql = "SELECT id, name, secret_hash, rights, made_by, made_at, expires_at, used_at
            FROM api_tokens ORDER BY name";
        Ok(read_all(&self.readers.all(sql, &[]).await?, read)?)
    }

    async fn api_tokens_used(&self, used: &[(ApiTokenId, Timestamp)]) -> Result<()> {
        self.writer.write(used.to_vec(), |db, used| note_use(db, used).boxed()).await
    }
}
