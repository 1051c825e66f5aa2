//! Rotates the keys of access tokens: on schedule, and when an operator asks for it.

use std::sync::Arc;
use std::time::Duration;

use super::mint::{Mint, SigningKeyState};
use super::{Result, TokensError};
use crate::actor::Actor;
use crate::clock::SharedClock;
use crate::lifecycle::Lifecycle;
use crate::store::{Accounts, AuditKind};

/// Rotates the keys of a mint.
#[derive(Debug)]
pub struct Rotation {
    mint: Arc<Mint>,
    accounts: Arc<dyn Accounts>,
    clock: SharedClock,
    lifecycle: Lifecycle,
}

impl Rotation {
    /// Rotates the keys of this mint, and records it in the audit of that store.
    pub fn new(
        mint: Arc<Mint>,
        accounts: Arc<dyn Accounts>,
        clock: SharedClock,
        lifecycle: Lifecycle,
    ) -> Arc<Self> {
        Arc::new(Self { mint, accounts, clock, lifecycle })
    }

    /// Makes the next key sign from now on. The previous keys verify until their last token has expired.
    pub async fn rotate(self: &Arc<Self>, actor: &Actor) -> Result<SigningKeyState> {
        let key = self.rotate_and_record(actor, false).await?;
        key.ok_or_else(|| TokensError::Defect("the keys of access tokens were not rotated".into()))
    }

    /// Runs to its end, even if the caller stops waiting: the stored keys and those in memory stay the same.
    async fn rotate_and_record(
        self: &Arc<Self>,
        actor: &Actor,
        only_if_due: bool,
    ) -> Result<Option<SigningKeyState>> {
        let (rotation, mut record) = (Arc::clone(self), actor.did(AuditKind::KeysRotated, self.clock.now()));
        let rotated = self.lifecycle.to_the_end(async move {
            let Some(key) = rotation.mint.rotate(only_if_due).await? else { return Ok(None) };
            record.detail = Some(serde_json::json!({ "kid": key.kid }).to_string());
            if let Err(error) = rotation.accounts.record_audit(&[record]).await {
                // The key signs already, so a missing audit record must not look like a failed rotation.
                tracing::warn!(%error, kid = key.kid, "cannot record a new key in the audit");
            }
            Ok(Some(key))
        });
        rotated.await.unwrap_or(Err(TokensError::Stopping))
    }

    /// Rotates whenever it is due.
    pub async fn on_schedule(self: Arc<Self>) {
        /// How long until a failed rotation is retried, and until a change of the clock is noticed.
        const LONGEST_SLEEP: Duration = Duration::from_secs(60);

        loop {
            let Some(due) = self.mint.next_rotation() else { return std::future::pending().await };
            tokio::time::sleep(due.min(LONGEST_SLEEP)).await;
            if self.mint.is_due()
                && let Err(error) = self.rotate_and_record(&Actor::daemon(), true).await
            {
                tracing::warn!(%error, "cannot rotate the key of access tokens");
                tokio::time::sleep(LONGEST_SLEEP).await;
            }
        }
    }
}
