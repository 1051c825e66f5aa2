//! The set of relays, changed at run time and kept.

use nostr_sdk::RelayUrl;

use super::{Auth, AuthError, Result};
use crate::relay::RelaySpec;
use crate::store::RelayChange;

impl Auth {
    /// Adds a relay, now and after every restart. Returns its URL as it is known from now on.
    pub async fn add_relay(&self, url: &str) -> Result<RelayUrl> {
        let url = parse(url)?;
        self.store.change_relay(url.as_str(), RelayChange::Added, self.clock.now()).await?;
        self.relays.add(RelaySpec::read_write(url.clone())).await?;
        tracing::info!(relay = %url, "relay added");
        Ok(url)
    }

    /// Removes a relay, now and after every restart, wherever it came from.
    pub async fn remove_relay(&self, url: &str) -> Result<RelayUrl> {
        let url = parse(url)?;
        self.store.change_relay(url.as_str(), RelayChange::Removed, self.clock.now()).await?;
        self.relays.remove(&url).await?;
        tracing::info!(relay = %url, "relay removed");
        Ok(url)
    }
}

fn parse(url: &str) -> Result<RelayUrl> {
    RelayUrl::parse(url)
        .map_err(|_| AuthError::BadRequest(format!("relay: {url:?} is not a ws:// or wss:// URL")))
}
