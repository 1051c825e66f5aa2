//! Signed requests that were used.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::PostgresStore;
use super::columns::Bytes;
use super::failure::Outcome;
use super::transaction::Transaction;
use super::witness::Witness;
use crate::store::{Replay, Replays, Result};

/// Old versions stored them with the revocations, and a store that was moved here may still have such rows.
const USE_UP: &str = "INSERT INTO replays (digest, expires_at, done_by)
    SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM revocations WHERE digest = $1)
    ON CONFLICT (digest) DO NOTHING";

async fn use_up(db: &Transaction<'_>, request: &Replay) -> Outcome<bool> {
    let added = db.run(USE_UP, &[&Bytes(request.digest), &request.expires_at, &db.done_by()]).await?;
    db.note(Witness::Replay(request.digest));
    Ok(added > 0)
}

#[async_trait]
impl Replays for PostgresStore {
    async fn use_up(&self, request: &Replay) -> Result<bool> {
        self.writer.write(*request, |db, request| use_up(db, request).boxed()).await
    }
}
