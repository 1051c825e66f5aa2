//! The set of relays, changed at run time and kept.

use nostr_sdk::RelayUrl;
use serde::Serialize;

use super::scans::is_plain;
use super::{Auth, AuthError, Result};
use crate::config::RelayEntry;
use crate::metrics::Limit;
use crate::relay::{Origin, RelayChanges, RelayHealth, RelaySpec, RelayState};
use crate::store::{RelayChange, Store, StoreError};

/// How a relay is doing, for operators.
#[derive(Debug, Clone, Serialize)]
pub struct RelayReport {
    /// Where it is.
    pub relay: String,
    /// `configured`, `added` at run time, or `preferred` by a wallet.
    pub origin: &'static str,
    /// `connecting`, `subscribing`, `ready`, or `paused` for its hostility.
    pub state: &'static str,
    /// What went wrong last, until it is ready again.
    pub last_error: Option<String>,
    /// How long the last ping took to be answered, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Events sent, repetitions included.
    pub sent: u64,
    /// Events that it said it took.
    pub accepted: u64,
    /// Events that it refused.
    pub refused: u64,
    /// Events that came from it.
    pub received: u64,
    /// … and had a wrong id or signature.
    pub forged: u64,
}

impl From<RelayHealth> for RelayReport {
    fn from(health: RelayHealth) -> Self {
        let RelayHealth { url, origin, state, latency, last_error, counters, .. } = health;
        Self {
            relay: url.to_string(),
            origin: match origin {
                Origin::Configured => "configured",
                Origin::Added => "added",
                Origin::Preferred => "preferred",
            },
            state: match state {
                RelayState::Connecting => "connecting",
                RelayState::Subscribing => "subscribing",
                RelayState::Paused => "paused",
                RelayState::Ready => "ready",
            },
            last_error: last_error.map(|error| error.to_string()),
            // Whole microseconds: more digits would only look exact.
            latency_ms: latency.map(|time| (time.as_micros() as f64) / 1000.0),
            sent: counters.sent,
            accepted: counters.accepted,
            refused: counters.refused,
            received: counters.received,
            forged: counters.forged,
        }
    }
}

impl Auth {
    /// How many relays are ready, if a login could go through now: it takes one of them, and a store that
    /// can be written.
    pub async fn readiness(&self) -> Result<usize> {
        self.store.check().await?;
        let general =
            |relay: &RelayHealth| relay.origin != Origin::Preferred && relay.state == RelayState::Ready;
        match self.relays.list().iter().filter(|relay| general(relay)).count() {
            0 => Err(AuthError::NoRelay),
            ready => Ok(ready),
        }
    }

    /// All relays and how they are.
    pub fn relay_states(&self) -> Vec<RelayReport> {
        self.relays.list().into_iter().map(RelayReport::from).collect()
    }

    /// Takes over the operator's list of relays, as far as nothing else was said at run time. What is open goes
    /// on; a relay that is listed as before is left alone.
    pub async fn reload_relays(&self, listed: &[RelayEntry]) -> Result<RelayChanges> {
        let _changing = self.relay_changes.lock().await;
        Ok(self.relays.configure(operator_relays(listed, &*self.store).await?).await?)
    }

    /// Adds a relay, now and after every restart. Returns its URL as it is known from now on.
    pub async fn add_relay(&self, url: &str) -> Result<RelayUrl> {
        let url = parse(url)?;
        let _changing = self.relay_changes.lock().await;
        let own = self.relays.list().iter().filter(|relay| relay.origin != Origin::Preferred).count();
        let (limit, message) = (Limit::Relays, "there are too many relays already: remove one first");
        if own >= self.max_relays {
            return Err(AuthError::LimitReached { limit, message, retry_after: None });
        }
        self.store.change_relay(url.as_str(), RelayChange::Added, self.clock.now()).await?;
        self.relays.add(RelaySpec::read_write(url.clone())).await?;
        tracing::info!(relay = %url, "relay added");
        Ok(url)
    }

    /// Removes a relay, now and after every restart, wherever it came from.
    pub async fn remove_relay(&self, url: &str) -> Result<RelayUrl> {
        let url = parse(url)?;
        let _changing = self.relay_changes.lock().await;
        self.store.change_relay(url.as_str(), RelayChange::Removed, self.clock.now()).await?;
        self.relays.remove(&url).await?;
        if self.relays.urls_for_handshake().is_empty() {
            tracing::warn!(relay = %url, "the last relay was removed: nobody can log in");
        } else {
            tracing::info!(relay = %url, "relay removed");
        }
        Ok(url)
    }
}

/// The relays of the operator's list, with what was changed at run time: that goes before the list.
///
/// # Errors
/// The store could not be read.
pub async fn operator_relays(
    listed: &[RelayEntry],
    store: &dyn Store,
) -> std::result::Result<Vec<RelaySpec>, StoreError> {
    let spec =
        |entry: &RelayEntry| RelaySpec { url: entry.url.clone(), read: entry.read, write: entry.write };
    let mut relays: Vec<RelaySpec> = listed.iter().map(spec).collect();
    for (url, change) in store.relay_changes().await? {
        let Ok(url) = RelayUrl::parse(&url) else { continue };
        tracing::info!(relay = %url, ?change, "changed at run time");
        let known = relays.iter().any(|relay| relay.url == url);
        match change {
            RelayChange::Added if !known => relays.push(RelaySpec::read_write(url)),
            RelayChange::Added => {}
            RelayChange::Removed => relays.retain(|relay| relay.url != url),
        }
    }
    Ok(relays)
}

fn parse(text: &str) -> Result<RelayUrl> {
    /// No real relay has a longer URL.
    const MAX_URL: usize = 256;

    let url = RelayUrl::parse(text).ok().filter(|url| text.len() <= MAX_URL && is_plain(url));
    url.ok_or_else(|| {
        let shown: String = text.chars().take(80).collect();
        AuthError::BadRequest(format!("relay: {shown:?} is not a ws:// or wss:// URL of a relay"))
    })
}
