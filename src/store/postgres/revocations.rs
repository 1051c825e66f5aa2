//! Revoked tokens.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::columns::Bytes;
use super::failure::Outcome;
use super::query::{get, read_all};
use super::transaction::Transaction;
use super::witness::Witness;
use super::{PostgresStore, audit};
use crate::clock::Timestamp;
use crate::store::{AuditDraft, Result, Revocation, Revocations};

/// Revokes a token. Returns `false` if it was revoked before.
async fn add(
    db: &Transaction<'_>,
    revocation: &Revocation,
    at: Timestamp,
    record: &AuditDraft,
) -> Outcome<bool> {
    let sql = "INSERT INTO revocations (digest, expires_at, revoked_at, done_by) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO NOTHING";
    let added = db.run(sql, &[&Bytes(revocation.digest), &revocation.expires_at, &at, &db.done_by()]).await?;
    db.note(Witness::Revocation(revocation.digest));
    if added > 0 {
        audit::record(db, std::slice::from_ref(record)).await?;
    }
    Ok(added > 0)
}

#[async_trait]
impl Revocations for PostgresStore {
    async fn revoke(&self, revocation: &Revocation, at: Timestamp, audit: &AuditDraft) -> Result<bool> {
        let asked = (*revocation, audit.clone());
        self.writer
            .write(asked, move |db, (revocation, record)| add(db, revocation, at, record).boxed())
            .await
    }

    /// Those of tokens that have not expired at `now`: a token is valid only before its expiry (RFC 7519 §4.1.4).
    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>> {
        let sql =
            "SELECT digest, expires_at FROM revocations WHERE expires_at > $1 ORDER BY expires_at, digest";
        let rows = self.readers.all(sql, &[&now]).await?;
        Ok(read_all(&rows, |row| {
            let Bytes(digest) = get(row, "digest")?;
            Ok(Revocation { digest, expires_at: get(row, "expires_at")? })
        })?)
    }
}
