//! `[lookup]`: profiles and NIP-05 names.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::bounds::{MOMENT, Number, PATIENCE};

/// `[lookup]`: profiles (NIP-01 kind 0) and NIP-05 names.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LookupRules {
    /// The time limit for answers of relays and web servers. Default 5 seconds.
    #[serde(with = "crate::config::duration")]
    pub timeout: Duration,
    /// Whether a NIP-05 domain may have a private address, and use plain HTTP at a loopback address. Default false.
    pub allow_private: bool,
}

impl Default for LookupRules {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), allow_private: false }
    }
}

impl LookupRules {
    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        vec![Number::time("timeout", self.timeout, MOMENT..=PATIENCE)]
    }
}
