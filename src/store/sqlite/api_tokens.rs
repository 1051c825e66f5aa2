//! API tokens with names.

use async_trait::async_trait;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::Count;
use super::{SqliteStore, audit};
use crate::clock::Timestamp;
use crate::rights::Rights;
use crate::store::{ApiTokenId, ApiTokens, AuditDraft, Result, StoredApiToken};

impl ToSql for Rights {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.to_string()))
    }
}

/// A word that is unknown here is an error: it could mean more than this program gives.
impl FromSql for Rights {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(|reason: String| FromSqlError::Other(reason.into()))
    }
}

fn add(db: &Connection, token: &StoredApiToken, max: usize, record: &AuditDraft) -> Result<bool> {
    let Count(count) =
        db.prepare_cached("SELECT count(*) FROM api_tokens")?.query_row([], |row| row.get(0))?;
    if count >= max as u64 {
        return Ok(false);
    }
    db.prepare_cached(
        "INSERT INTO api_tokens (id, name, secret_hash, rights, made_by, made_at, expires_at, used_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        token.id,
        token.name,
        token.secret_hash,
        token.rights,
        token.made_by,
        token.made_at,
        token.expires_at,
        token.used_at,
    ])?;
    audit::record(db, record)?;
    Ok(true)
}

fn revoke(db: &Connection, name: &str, record: &AuditDraft) -> Result<Option<ApiTokenId>> {
    let mut delete = db.prepare_cached("DELETE FROM api_tokens WHERE name = ?1 RETURNING id")?;
    let revoked = delete.query_row([name], |row| row.get(0)).optional()?;
    if revoked.is_some() {
        audit::record(db, record)?;
    }
    Ok(revoked)
}

fn list(db: &Connection) -> Result<Vec<StoredApiToken>> {
    let mut query = db.prepare_cached(
        "SELECT id, name, secret_hash, rights, made_by, made_at, expires_at, used_at
         FROM api_tokens ORDER BY name",
    )?;
    Ok(query.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredApiToken> {
    Ok(StoredApiToken {
        id: row.get("id")?,
        name: row.get("name")?,
        secret_hash: row.get("secret_hash")?,
        rights: row.get("rights")?,
        made_by: row.get("made_by")?,
        made_at: row.get("made_at")?,
        expires_at: row.get("expires_at")?,
        used_at: row.get("used_at")?,
    })
}

fn note_use(db: &Connection, used: &[(ApiTokenId, Timestamp)]) -> Result<()> {
    let mut update = db.prepare_cached("UPDATE api_tokens SET used_at = ?2 WHERE id = ?1")?;
    for (id, at) in used {
        update.execute(params![id, at])?;
    }
    Ok(())
}

#[async_trait]
impl ApiTokens for SqliteStore {
    async fn add_api_token(&self, token: &StoredApiToken, max: usize, audit: &AuditDraft) -> Result<bool> {
        let (token, audit) = (token.clone(), audit.clone());
        self.writer.write(move |db| add(db, &token, max, &audit)).await
    }

    async fn revoke_api_token(&self, name: &str, audit: &AuditDraft) -> Result<Option<ApiTokenId>> {
        let (name, audit) = (name.to_owned(), audit.clone());
        self.writer.write(move |db| revoke(db, &name, &audit)).await
    }

    async fn api_tokens(&self) -> Result<Vec<StoredApiToken>> {
        self.readers.read(list).await
    }

    async fn api_tokens_used(&self, used: &[(ApiTokenId, Timestamp)]) -> Result<()> {
        let used = used.to_vec();
        self.writer.write(move |db| note_use(db, &used)).await
    }
}
