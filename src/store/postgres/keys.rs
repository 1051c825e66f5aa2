//! The ring of keys that sign access tokens, in one row.

use async_trait::async_trait;
use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::PostgresStore;
use super::columns::Bytes;
use super::failure::Outcome;
use super::query::get;
use super::transaction::Transaction;
use crate::store::{KeyStore, KeysError, KeysRevision, Result, StoreError, StoredKeys};

/// Replaces the ring. If the answer to a commit is lost and this runs again, it finds its own ring.
async fn replace(
    db: &Transaction<'_>,
    known: Option<KeysRevision>,
    ring: &str,
) -> Outcome<Option<KeysRevision>> {
    let revision = revision_of(ring);
    let changed = match known {
        None => {
            let sql =
                "INSERT INTO access_keys (ring, revision) VALUES ($1, $2) ON CONFLICT (only_row) DO NOTHING";
            db.run(sql, &[&ring, &Bytes(revision)]).await?
        }
        Some(known) => {
            let sql = "UPDATE access_keys SET ring = $1, revision = $2 WHERE revision = $3";
            db.run(sql, &[&ring, &Bytes(revision), &Bytes(known)]).await?
        }
    };
    if changed > 0 {
        return Ok(Some(revision));
    }
    let ours = db.first("SELECT 1 FROM access_keys WHERE revision = $1", &[&Bytes(revision)]).await?;
    Ok(ours.map(|_| revision))
}

fn revision_of(ring: &str) -> KeysRevision {
    Sha256::digest(ring).into()
}

impl PostgresStore {
    async fn stored_keys(&self) -> Result<Option<StoredKeys>> {
        let found = self.readers.first("SELECT ring, revision FROM access_keys", &[]).await?;
        let Some(row) = found else { return Ok(None) };
        let (ring, Bytes(revision)): (String, _) = (get(&row, "ring")?, get(&row, "revision")?);
        let text = Zeroizing::new(ring);
        if revision != revision_of(&text) {
            return Err(StoreError::Corrupt("the ring of keys does not have its revision".into()));
        }
        Ok(Some(StoredKeys { text, revision }))
    }

    fn keys_error(&self, error: StoreError) -> KeysError {
        let place = self.place();
        match error {
            StoreError::Unavailable(_) => {
                KeysError::Unavailable(format!("cannot read or write {place}: {error}"))
            }
            other => KeysError::Refused(format!("cannot use {place}: {other}")),
        }
    }
}

#[async_trait]
impl KeyStore for PostgresStore {
    fn place(&self) -> String {
        format!("the keys of access tokens in {}", self.url)
    }

    async fn load_keys(&self) -> std::result::Result<Option<StoredKeys>, KeysError> {
        self.stored_keys().await.map_err(|error| self.keys_error(error))
    }

    async fn replace_keys(
        &self,
        known: Option<KeysRevision>,
        text: &str,
    ) -> std::result::Result<Option<KeysRevision>, KeysError> {
        let ring = Zeroizing::new(text.to_owned());
        let replaced = self.writer.write(ring, move |db, ring| replace(db, known, ring).boxed()).await;
        replaced.map_err(|error| self.keys_error(error))
    }
}
