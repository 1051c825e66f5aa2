//! `[tokens]`: which tokens are accepted and issued.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::bounds::{LONGEST, MANY, Number, PLACES, SECOND};

/// `[tokens]`: which tokens are accepted and issued.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRules {
    /// How far in the future a token's `nbf` and `iat` may lie, because clocks of phones differ. Default 60 seconds.
    #[serde(with = "crate::config::duration")]
    pub leeway: Duration,
    /// The longest accepted lifetime of a wallet's token. Default 30 days.
    #[serde(with = "crate::config::duration")]
    pub max_wallet_lifetime: Duration,
    /// The longest lifetime of an issued token. Default 8784 hours (366 days).
    #[serde(with = "crate::config::duration")]
    pub max_issued_lifetime: Duration,
    /// Verified signatures kept in memory. Default 50,000.
    pub signature_cache: usize,
    /// Revoked tokens that are remembered until they expire. Default 1,000,000.
    pub max_revocations: usize,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            leeway: Duration::from_secs(60),
            max_wallet_lifetime: Duration::from_secs(30 * 24 * 3600),
            max_issued_lifetime: Duration::from_secs(366 * 24 * 3600),
            signature_cache: 50_000,
            max_revocations: 1_000_000,
        }
    }
}

impl TokenRules {
    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        vec![
            Number::time("leeway", self.leeway, Duration::ZERO..=LONGEST),
            Number::time("max_wallet_lifetime", self.max_wallet_lifetime, SECOND..=LONGEST),
            Number::time("max_issued_lifetime", self.max_issued_lifetime, SECOND..=LONGEST),
            Number::count("signature_cache", self.signature_cache, 1..=PLACES),
            Number::count("max_revocations", self.max_revocations, 0..=MANY),
        ]
    }
}
