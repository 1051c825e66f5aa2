//! `[history]`: how long past streams, sessions, users and audit records are kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::bounds::{LONGEST, Number};
use crate::config::mistakes::InSection;

/// `[history]`: how long past streams, sessions, users and audit records are kept.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryRules {
    /// How long a stream with its events, or a session, is kept after its end; zero: for ever. Default 30 days.
    #[serde(with = "crate::config::duration")]
    pub keep: Duration,
    /// How long a user whom no operator ever changed is kept after the last login; zero: for
    /// ever. Default 365 days.
    #[serde(with = "crate::config::duration")]
    pub keep_users: Duration,
    /// How long audit records are kept; zero: for ever. Default 365 days.
    #[serde(with = "crate::config::duration")]
    pub keep_audit: Duration,
}

impl Default for HistoryRules {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        let year = Duration::from_secs(365 * DAY);
        Self { keep: Duration::from_secs(30 * DAY), keep_users: year, keep_audit: year }
    }
}

impl HistoryRules {
    fn times(&self) -> [(&'static str, Duration); 3] {
        [("keep", self.keep), ("keep_users", self.keep_users), ("keep_audit", self.keep_audit)]
    }

    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        self.times().map(|(key, keep)| Number::time(key, keep, Duration::ZERO..=LONGEST)).into()
    }

    /// Checks the values.
    pub(in crate::config) fn check(&self, wrong: &mut InSection<'_>) {
        /// Callers that poll, or return after a restart, must still find how a request ended.
        const SHORTEST: Duration = Duration::from_secs(3600);

        for (key, keep) in self.times() {
            if !keep.is_zero() && keep < SHORTEST {
                wrong.add(key, "must be at least 1h, or 0s to keep everything");
            }
        }
    }
}
