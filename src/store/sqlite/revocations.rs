//! Revoked tokens.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{SqliteStore, audit};
use crate::clock::Timestamp;
use crate::store::{AuditDraft, Result, Revocation, Revocations};

/// Revokes a token. Returns `false` if it was revoked before.
pub(super) fn add(db: &Connection, revocation: &Revocation, at: Timestamp) -> Result<bool> {
    let added = db
        .prepare_cached(
            "INSERT INTO revocations (digest, expires_at, revoked_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (digest) DO NOTHING",
        )?
        .execute(params![revocation.digest, revocation.expires_at, at])?;
    Ok(added > 0)
}

/// Revocations of tokens that have not expired at `now`: a token is valid only before its expiry (RFC 7519
/// §4.1.4).
pub(super) fn holding(db: &Connection, now: Timestamp) -> Result<Vec<Revocation>> {
    let mut query = db.prepare_cached(
        "SELECT digest, expires_at FROM revocations WHERE expires_at > ?1 ORDER BY expires_at, digest",
    )?;
    let revocations = query.query_map([now], |row| {
        Ok(Revocation { digest: row.get("digest")?, expires_at: row.get("expires_at")? })
    })?;
    Ok(revocations.collect::<rusqlite::Result<_>>()?)
}

#[async_trait]
impl Revocations for SqliteStore {
    async fn revoke(&self, revocation: &Revocation, at: Timestamp, record: &AuditDraft) -> Result<bool> {
        let (revocation, record) = (*revocation, record.clone());
        self.writer
            .write(move |db| {
                let is_fresh = add(db, &revocation, at)?;
                if is_fresh {
                    audit::record(db, &record)?;
                }
                Ok(is_fresh)
            })
            .await
    }

    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>> {
        self.readers.read(move |db| holding(db, now)).await
    }
}
