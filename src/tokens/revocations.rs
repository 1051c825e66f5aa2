//! The revoked tokens of every kind: in memory, up to a bound, and in the store.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use serde_json::json;

use super::{Result, TokensError};
use crate::actor::Actor;
use crate::clock::{SharedClock, Timekeeper, Timestamp};
use crate::metrics::Limit;
use crate::store::{self, AuditKind, Revocation};

/// How long a revocation is kept beyond the expiry of its token, in case the clock goes back.
const KEPT_BEYOND: Duration = Duration::from_secs(7 * 24 * 3600);

/// The name of a revoked token: a hash of its signer and of the signed text.
pub type TokenName = [u8; 32];

/// All revocations: a full copy of the store's, correct while this process is their only writer. With several
/// writers, it must learn of the others' revocations before it answers.
#[derive(Debug)]
pub struct RevokedTokens {
    /// With the time from which each is no longer needed.
    revoked: DashMap<TokenName, Timestamp>,
    most: usize,
    store: Arc<dyn store::Revocations>,
    clock: SharedClock,
    timekeeper: Arc<Timekeeper>,
}

impl RevokedTokens {
    /// Loads the revocations from the store; at most `most` more can be added.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn load(
        most: usize,
        store: Arc<dyn store::Revocations>,
        clock: SharedClock,
        timekeeper: Arc<Timekeeper>,
    ) -> store::Result<Arc<Self>> {
        let known = store.revocations(timekeeper.settled()).await?;
        let revoked = known.into_iter().map(|row| (row.digest, row.expires_at)).collect();
        Ok(Arc::new(Self { revoked, most, store, clock, timekeeper }))
    }

    /// Whether the token with this name was revoked.
    pub fn contains(&self, name: &TokenName) -> bool {
        self.revoked.contains_key(name)
    }

    /// Revokes the token with this name, which expires at that time. `false`: it was revoked before.
    ///
    /// # Errors
    /// The bound is reached, or the store failed.
    pub async fn add(&self, name: TokenName, expires_at: Timestamp, actor: &Actor) -> Result<bool> {
        self.check_room()?;
        self.keep(name, expires_at, actor).await
    }

    /// Makes room for one more revocation, if necessary by dropping those of tokens that have certainly expired.
    pub(super) fn check_room(&self) -> Result<()> {
        if self.revoked.len() >= self.most {
            self.tidy(self.timekeeper.settled().plus(KEPT_BEYOND));
        }
        if self.revoked.len() < self.most {
            return Ok(());
        }
        Err(TokensError::LimitReached {
            limit: Limit::Revocations,
            message: "too many revoked tokens (tokens.max_revocations)",
            retry_after: self.room_after(self.clock.now()),
        })
    }

    /// The store comes first, then the memory, so that a caller that asks after the answer sees the revocation.
    pub(super) async fn keep(&self, name: TokenName, expires_at: Timestamp, actor: &Actor) -> Result<bool> {
        let (now, expires_at) = (self.clock.now(), expires_at.plus(KEPT_BEYOND));
        let revocation = Revocation { digest: name, expires_at };
        let record =
            actor.did(AuditKind::TokenRevoked, now).with(&json!({ "token_hash": hex::encode(name) }));
        let fresh = self.store.revoke(&revocation, now, &record).await?;
        self.revoked.insert(name, expires_at);
        Ok(fresh)
    }

    /// How long until the first revoked token has expired.
    fn room_after(&self, now: Timestamp) -> Duration {
        let first = self.revoked.iter().map(|revoked| *revoked.value()).min();
        first.map_or(Duration::ZERO, |first| first.minus(KEPT_BEYOND).since(now))
    }

    /// Drops revocations that are no longer needed at `now`, a time that has certainly passed.
    pub fn tidy(&self, now: Timestamp) {
        self.revoked.retain(|_, expires_at| *expires_at > now);
    }
}
