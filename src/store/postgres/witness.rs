//! Rows that tell whether a transaction was committed.

use super::columns::{Bytes, Count, Random};
use super::failure::Outcome;
use super::query::Db;
use crate::store::{StreamId, WebSignInId};

/// A row that a transaction added, and that nobody changes or deletes soon.
#[derive(Clone, Copy, Debug)]
pub(super) enum Witness {
    Stream(StreamId),
    Event(StreamId, u64),
    Audit(u64),
    Revocation([u8; 32]),
    Replay([u8; 32]),
    SignIn([u8; 32]),
    WebSignIn(WebSignInId),
}

impl Witness {
    /// Whether the row was added by the transaction of this name. The transaction must have ended.
    pub(super) async fn tells_of(self, done_by: Random, db: Db<'_>) -> Outcome<bool> {
        let found = match self {
            Self::Stream(id) => {
                db.first("SELECT 1 FROM streams WHERE id = $1 AND done_by = $2", &[&id, &done_by]).await
            }
            Self::Event(stream, index) => {
                let sql = "SELECT 1 FROM events WHERE stream = $1 AND idx = $2 AND done_by = $3";
                db.first(sql, &[&stream, &Count(index), &done_by]).await
            }
            Self::Audit(number) => {
                let sql = "SELECT 1 FROM audit WHERE number = $1 AND done_by = $2";
                db.first(sql, &[&Count(number), &done_by]).await
            }
            Self::Revocation(digest) => {
                let sql = "SELECT 1 FROM revocations WHERE digest = $1 AND done_by = $2";
                db.first(sql, &[&Bytes(digest), &done_by]).await
            }
            Self::Replay(digest) => {
                let sql = "SELECT 1 FROM replays WHERE digest = $1 AND done_by = $2";
                db.first(sql, &[&Bytes(digest), &done_by]).await
            }
            Self::SignIn(digest) => {
                let sql = "SELECT 1 FROM sign_ins WHERE digest = $1 AND done_by = $2";
                db.first(sql, &[&Bytes(digest), &done_by]).await
            }
            Self::WebSignIn(id) => {
                let sql = "SELECT 1 FROM web_sign_ins WHERE id = $1 AND done_by = $2";
                db.first(sql, &[&id, &done_by]).await
            }
        };
        Ok(found?.is_some())
    }
}
