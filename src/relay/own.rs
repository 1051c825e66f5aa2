//! Asks and publishes at a single relay, for the service's own profile.

use std::time::Duration;

use nostr_sdk::prelude::{Event, PublicKey, RelayUrl};
use tokio::time::{Instant, timeout_at};

use super::ask::Outcome;
use super::relays::Relays;

impl Relays {
    /// The verified profile (kind 0) of `key` that this relay has. `Err`: no answer within `timeout`.
    pub async fn metadata_at(
        &self,
        relay: &RelayUrl,
        key: &PublicKey,
        timeout: Duration,
    ) -> Result<Option<Event>, NoAnswer> {
        let deadline = Instant::now() + timeout;
        let link = self.fleet.link(relay).ok_or(NoAnswer)?;
        let permit = timeout_at(deadline, self.fetches.acquire()).await;
        let _permit = permit.map_err(|_| NoAnswer)?.map_err(|_| NoAnswer)?;
        timeout_at(deadline, link.ask_metadata(key)).await.map_err(|_| NoAnswer)
    }

    /// Publishes an event at this relay, and returns its answer within `timeout`.
    pub async fn publish_at(&self, relay: &RelayUrl, event: &Event, timeout: Duration) -> Outcome {
        let Some(link) = self.fleet.link(relay) else { return Outcome::NotConnected };
        let outcome = timeout_at(Instant::now() + timeout, link.ask_to_store(event)).await;
        outcome.unwrap_or(Outcome::NoAnswer)
    }
}

/// A relay did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;
