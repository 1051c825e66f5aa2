//! Signed requests that were used.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::SqliteStore;
use crate::store::{Replay, Replays, Result};

/// An older version stored them with the revocations.
const USE_UP: &str = "INSERT INTO replays (digest, expires_at)
    SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM revocations WHERE digest = ?1)
    ON CONFLICT (digest) DO NOTHING";

fn use_up(db: &Connection, request: &Replay) -> Result<bool> {
    Ok(db.prepare_cached(USE_UP)?.execute(params![request.digest, request.expires_at])? > 0)
}

#[async_trait]
impl Replays for SqliteStore {
    async fn use_up(&self, request: &Replay) -> Result<bool> {
        let request = *request;
        self.writer.write(move |db| use_up(db, &request)).await
    }
}
