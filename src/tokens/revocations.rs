//! What was revoked, whatever kind of token it names: in memory, up to a bound, and in the store.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;

use super::{Result, TokensError};
use crate::clock::{SharedClock, Timekeeper, Timestamp};
use crate::metrics::Limit;
use crate::store::{self, Revocation};

/// How long a revocation is kept beyond the expiry of its token, for a clock that goes back.
const KEPT_BEYOND: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a revocation names: a hash of who signed a token and of what was signed.
pub type TokenName = [u8; 32];

/// Everything that was revoked: a whole copy of the store's revocations, valid while this process is their only
/// writer. With several, it must hear of what the others revoke before it answers.
#[derive(Debug)]
pub struct RevokedTokens {
    /// With when each is of no more use.
    revoked: DashMap<TokenName, Timestamp>,
    most: usize,
    store: Arc<dyn store::Revocations>,
    clock: SharedClock,
    timekeeper: Arc<Timekeeper>,
}

impl RevokedTokens {
    /// What the store has of them; at most `most` more.
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

    /// Whether what this names was revoked.
    pub fn contains(&self, name: &TokenName) -> bool {
        self.revoked.contains_key(name)
    }

    /// Revokes what this names, which holds until then by itself. `false`: it was revoked before.
    ///
    /// # Errors
    /// The bound is reached, or the store failed.
    pub async fn add(&self, name: TokenName, expires_at: Timestamp) -> Result<bool> {
        self.check_room()?;
        self.keep(name, expires_at).await
    }

    /// Whether one more can be revoked, at the cost of revocations whose token has certainly expired.
    pub(super) fn check_room(&self) -> Result<()> {
        if self.revoked.len() >= self.most {
            self.tidy(self.timekeeper.settled().plus(KEPT_BEYOND));
        }
        if self.revoked.len() < self.most {
            return Ok(());
        }
        Err(TokensError::LimitReached {
            limit: Limit::Revocations,
            message: "too many tokens are revoked (tokens.max_revocations)",
            retry_after: self.room_after(self.clock.now()),
        })
    }

    /// In the store first, then here: whoever asks after the answer reads it.
    pub(super) async fn keep(&self, name: TokenName, expires_at: Timestamp) -> Result<bool> {
        let expires_at = expires_at.plus(KEPT_BEYOND);
        let revocation = Revocation { digest: name, expires_at };
        let fresh = self.store.revoke(&revocation, self.clock.now()).await?;
        self.revoked.insert(name, expires_at);
        Ok(fresh)
    }

    /// How long until the first of the revoked tokens has expired.
    fn room_after(&self, now: Timestamp) -> Duration {
        let first = self.revoked.iter().map(|revoked| *revoked.value()).min();
        first.map_or(Duration::ZERO, |first| first.minus(KEPT_BEYOND).since(now))
    }

    /// Forgets revocations that nothing needs at `now`, a time that has certainly passed.
    pub fn tidy(&self, now: Timestamp) {
        self.revoked.retain(|_, expires_at| *expires_at > now);
    }
}
