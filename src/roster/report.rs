//! The state of a relay, in the words of the API.

use nostr_sdk::RelayUrl;
use serde::Serialize;

use crate::relay::{Counters, LinkError, Origin, RelayHealth, RelayState};
use crate::shown;

/// The state of a relay, for operators.
#[derive(Debug, Clone, Serialize)]
pub struct RelayReport {
    /// The URL without its secret parts.
    pub relay: String,
    /// `configured`, `added` at run time, or `preferred` by a wallet.
    pub origin: &'static str,
    /// `connecting`, `subscribing`, `ready`, `paused` for being hostile, or `removed` at run time although
    /// `relays.toml` lists it.
    pub state: &'static str,
    /// The last error, until the relay is ready again.
    pub last_error: Option<String>,
    /// The same as a code, for programs.
    pub last_error_code: Option<&'static str>,
    /// Its last `NOTICE`, shortened.
    pub last_notice: Option<String>,
    /// The reason of the last refused event, shortened; empty if the relay gave none.
    pub last_refusal: Option<String>,
    /// The round trip time of the last ping, in milliseconds.
    pub latency_ms: Option<f64>,
    /// How often it closed our subscription, did not confirm it, or may have ended it.
    pub closed: u64,
    /// The number of its notices.
    pub notices: u64,
    /// Events sent, including repetitions.
    pub sent: u64,
    /// Events that it accepted.
    pub accepted: u64,
    /// Events that it refused.
    pub refused: u64,
    /// Events that it sent.
    pub received: u64,
    /// … with a wrong id or signature.
    pub forged: u64,
}

impl RelayReport {
    /// A relay in use; `listed`: `relays.toml` lists it.
    pub(super) fn of(health: RelayHealth, listed: bool) -> Self {
        let origin = match health.origin {
            Origin::Operator if listed => "configured",
            Origin::Operator => "added",
            Origin::Preferred => "preferred",
        };
        let state = match health.state {
            RelayState::Connecting => "connecting",
            RelayState::Subscribing => "subscribing",
            RelayState::Paused => "paused",
            RelayState::Ready => "ready",
        };
        Self {
            last_error: health.last_error.as_ref().map(ToString::to_string),
            last_error_code: health.last_error.as_ref().map(LinkError::code),
            last_notice: health.last_notice,
            last_refusal: health.last_refusal,
            // Whole microseconds: more digits would only look exact.
            latency_ms: health.latency.map(|time| (time.as_micros() as f64) / 1000.0),
            ..Self::new(&health.url, origin, state, health.counters)
        }
    }

    /// A relay of `relays.toml` that was removed at run time.
    pub(super) fn removed(url: &RelayUrl) -> Self {
        Self::new(url, "configured", "removed", Counters::default())
    }

    fn new(url: &RelayUrl, origin: &'static str, state: &'static str, counters: Counters) -> Self {
        Self {
            relay: shown::relay(url),
            origin,
            state,
            last_error: None,
            last_error_code: None,
            last_notice: None,
            last_refusal: None,
            latency_ms: None,
            closed: counters.closed,
            notices: counters.notices,
            sent: counters.sent,
            accepted: counters.accepted,
            refused: counters.refused,
            received: counters.received,
            forged: counters.forged,
        }
    }
}
