//! How a relay is doing, in the words of the API.

use nostr_sdk::RelayUrl;
use serde::Serialize;

use crate::relay::{Counters, LinkError, Origin, RelayHealth, RelayState};
use crate::shown;

/// How a relay is doing, for operators.
#[derive(Debug, Clone, Serialize)]
pub struct RelayReport {
    /// Where it is, without what may be secret in its URL.
    pub relay: String,
    /// `configured`, `added` at run time, or `preferred` by a wallet.
    pub origin: &'static str,
    /// `connecting`, `subscribing`, `ready`, `paused` for its hostility, or `removed` at run time
    /// though `relays.toml` lists it.
    pub state: &'static str,
    /// What went wrong last, until it is ready again.
    pub last_error: Option<String>,
    /// The same, as a code for programs.
    pub last_error_code: Option<&'static str>,
    /// What it last had to say for people (`NOTICE`), shortened.
    pub last_notice: Option<String>,
    /// Why it last refused an event, shortened; empty if it gave no reason.
    pub last_refusal: Option<String>,
    /// How long the last ping took to be answered, in milliseconds.
    pub latency_ms: Option<f64>,
    /// How often it closed our subscription, did not confirm it, or may have ended it.
    pub closed: u64,
    /// Its notices.
    pub notices: u64,
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

impl RelayReport {
    /// A relay that there is; `listed`: in `relays.toml`.
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
