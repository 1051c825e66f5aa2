//! Rotates the keys of access tokens: on schedule, and when an operator asks for it.

use std::sync::Arc;
use std::time::Duration;

use super::mint::{Mint, SigningKeyState};
use super::{Result, TokensError};
use crate::actor::Actor;
use crate::clock::SharedClock;
use crate::store::{Accounts, AuditKind};

/// Rotates the keys of a mint.
#[derive(Debug)]
pub struct Rotation {
    mint: Arc<Mint>,
    accounts: Arc<dyn Accounts>,
    clock: SharedClock,
}

impl Rotation {
    /// Rotates the keys of this mint, and records it in the audit of that store.
    pub fn new(mint: Arc<Mint>, accounts: Arc<dyn Accounts>, clock: SharedClock) -> Arc<Self> {
        Arc::new(Self { mint, accounts, clock })
    }

    /// Makes the next key sign from now on. The previous keys verify until their last token has expired.
    pub async fn rotate(&self, actor: &Actor) -> Result<SigningKeyState> {
        let mint = Arc::clone(&self.mint);
        let rotated = tokio::task::spawn_blocking(move || mint.rotate()).await;
        let key = rotated.map_err(|error| TokensError::Keys(error.to_string()))??;
        let mut record = actor.did(AuditKind::KeysRotated, self.clock.now());
        record.detail = Some(serde_json::json!({ "kid": key.kid }).to_string());
        if let Err(error) = self.accounts.record_audit(&[record]).await {
            // The key signs already; that it is not in the audit is no reason to say that it does not.
            tracing::warn!(%error, kid = key.kid, "cannot record a new key in the audit");
        }
        Ok(key)
    }

    /// Rotates whenever it is due.
    pub async fn on_schedule(self: Arc<Self>) {
        /// How long until a failed rotation is retried, and until a change of the clock is noticed.
        const LONGEST_SLEEP: Duration = Duration::from_secs(60);

        loop {
            let Some(due) = self.mint.next_rotation() else { return std::future::pending().await };
            tokio::time::sleep(due.min(LONGEST_SLEEP)).await;
            if self.mint.next_rotation().is_some_and(|due| due.is_zero())
                && let Err(error) = self.rotate(&Actor::daemon()).await
            {
                tracing::warn!(%error, "cannot rotate the key of access tokens");
                tokio::time::sleep(LONGEST_SLEEP).await;
            }
        }
    }
}
