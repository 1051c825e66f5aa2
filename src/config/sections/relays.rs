//! `[relays]`: limits of relays and of incoming events.

use serde::{Deserialize, Serialize};

use crate::config::bounds::{Number, PLACES};

/// `[relays]`: limits of relays and of incoming events.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayRules {
    /// Whether relays that wallets prefer may have private addresses, and `ws` at loopback addresses. Default false.
    pub allow_private: bool,
    /// The operator's relays, including those added at run time: each is a
    /// connection, and part of every handshake URL. Default 64.
    pub max_relays: usize,
    /// Relays taken from one user's wallet. Default 3.
    pub max_preferred_per_user: usize,
    /// Relays taken from all wallets; the least recently used are dropped first. Default 50.
    pub max_preferred: usize,
    /// Verified events that wait to be handled. Default 8192.
    pub inbox: usize,
    /// Unverified frames of one relay that wait. Default 4096.
    pub queue_per_relay: usize,
}

impl Default for RelayRules {
    fn default() -> Self {
        Self {
            allow_private: false,
            max_relays: 64,
            max_preferred_per_user: 3,
            max_preferred: 50,
            inbox: 8192,
            queue_per_relay: 4096,
        }
    }
}

impl RelayRules {
    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        vec![
            Number::count("max_relays", self.max_relays, 0..=10_000),
            Number::count("max_preferred_per_user", self.max_preferred_per_user, 0..=1_000),
            Number::count("max_preferred", self.max_preferred, 0..=10_000),
            Number::count("inbox", self.inbox, 1..=PLACES),
            Number::count("queue_per_relay", self.queue_per_relay, 1..=PLACES),
        ]
    }
}
