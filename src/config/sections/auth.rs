//! `[auth]`: how long requests stay open, and how many.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::bounds::{LONGEST, MANY, Number, SECOND};

/// `[auth]`: how long requests stay open, and how many.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthLimits {
    /// How long a one-time handshake URL can be scanned. Default 5 minutes.
    #[serde(with = "crate::config::duration")]
    pub handshake_ttl: Duration,
    /// How long a user has to approve. Default 5 minutes.
    #[serde(with = "crate::config::duration")]
    pub challenge_ttl: Duration,
    /// Handshakes and challenges open at once. Default 200,000.
    pub max_open: usize,
    /// Scans of one static URL that are accepted within `challenge_ttl`, so that people who know it
    /// cannot use up `max_open`. Default 1,000.
    pub max_scans_per_url: usize,
    /// Streams on one static token; a further one cancels the oldest. Default 16.
    pub max_streams_per_token: usize,
    /// Challenges open at once for one user. Default 3.
    pub max_open_per_user: usize,
    /// Challenges sent to one user within `prompt_window`. Default 10.
    pub max_prompts_per_user: usize,
    /// The window of `max_prompts_per_user`. Default 10 minutes.
    #[serde(with = "crate::config::duration")]
    pub prompt_window: Duration,
    /// How far a wallet's clock may differ from ours. Default 10 minutes.
    #[serde(with = "crate::config::duration")]
    pub max_event_age: Duration,
}

impl Default for AuthLimits {
    fn default() -> Self {
        Self {
            handshake_ttl: Duration::from_secs(5 * 60),
            challenge_ttl: Duration::from_secs(5 * 60),
            max_open: 200_000,
            max_scans_per_url: 1_000,
            max_streams_per_token: 16,
            max_open_per_user: 3,
            max_prompts_per_user: 10,
            prompt_window: Duration::from_secs(10 * 60),
            max_event_age: Duration::from_secs(10 * 60),
        }
    }
}

impl AuthLimits {
    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        vec![
            // Events and tokens count time in whole seconds.
            Number::time("handshake_ttl", self.handshake_ttl, SECOND..=LONGEST),
            Number::time("challenge_ttl", self.challenge_ttl, SECOND..=LONGEST),
            Number::count("max_open", self.max_open, 1..=MANY),
            Number::count("max_scans_per_url", self.max_scans_per_url, 1..=MANY),
            Number::count("max_streams_per_token", self.max_streams_per_token, 1..=MANY),
            Number::count("max_open_per_user", self.max_open_per_user, 1..=MANY),
            Number::count("max_prompts_per_user", self.max_prompts_per_user, 1..=MANY),
            Number::time("prompt_window", self.prompt_window, SECOND..=LONGEST),
            Number::time("max_event_age", self.max_event_age, SECOND..=LONGEST),
        ]
    }
}
