//! A relay inside this process.

use std::net::{IpAddr, Ipv4Addr};

use nostr_relay_builder::builder::RateLimit;
use nostr_relay_builder::{LocalRelay, RelayBuilder};
use nostr_sdk::RelayUrl;

/// A free port is looked for and then bound: somebody may be faster in between, so it is tried again.
const TRIES: usize = 5;

/// The relay could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the embedded relay does not start: {0}")]
pub struct RelayError(#[from] nostr_relay_builder::error::Error);

/// A Nostr relay on the loopback address. Ephemeral events are passed on, as on public relays. It stops when
/// the last clone is dropped.
#[derive(Debug, Clone)]
pub struct EmbeddedRelay {
    relay: LocalRelay,
    url: RelayUrl,
}

impl EmbeddedRelay {
    /// Starts a relay on a free port.
    ///
    /// # Errors
    ///
    /// [`RelayError`]: no port could be bound.
    pub async fn start() -> Result<Self, RelayError> {
        let mut tries = 1;
        loop {
            match Self::run(builder()).await {
                Err(_) if tries < TRIES => tries += 1,
                started => return started,
            }
        }
    }

    /// Starts a relay on a given port, that of one that was [stopped](Self::stop), say.
    ///
    /// # Errors
    ///
    /// [`RelayError`]: the port could not be bound.
    pub async fn start_at(port: u16) -> Result<Self, RelayError> {
        Self::run(builder().port(port)).await
    }

    async fn run(builder: RelayBuilder) -> Result<Self, RelayError> {
        let relay = LocalRelay::new(builder);
        relay.run().await?;
        let url = relay.url().await;
        Ok(Self { relay, url })
    }

    /// Where it is: `ws://127.0.0.1:…`.
    pub fn url(&self) -> &RelayUrl {
        &self.url
    }

    /// Stops listening and closes all connections.
    pub fn stop(&self) {
        self.relay.shutdown();
    }
}

/// The limits are those of a relay that wants its users' traffic: the defaults are made for feeds.
fn builder() -> RelayBuilder {
    let limits = RateLimit { max_reqs: 500, notes_per_minute: 1_000_000 };
    RelayBuilder::default().addr(IpAddr::V4(Ipv4Addr::LOCALHOST)).rate_limit(limits)
}
