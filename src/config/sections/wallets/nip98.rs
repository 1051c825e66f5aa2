//! `[wallets.nip98]`: users who sign each request with their Nostr key.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::bounds::{LONGEST, MINUTE, Number, SECOND};
use crate::config::mistakes::InSection;

/// `[wallets.nip98]`: Nostr keys that sign each request.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nip98 {
    /// The part before path and query in the URLs that users sign, without a slash at its end.
    pub public_url: String,
    /// How far the time of an event may differ from our clock. Default 60 seconds.
    #[serde(default = "window", with = "crate::config::duration")]
    pub window: Duration,
    /// How long a session lasts, because an event has no expiry. Default 12 hours.
    #[serde(default = "session", with = "crate::config::duration")]
    pub session: Duration,
}

fn window() -> Duration {
    Duration::from_secs(60)
}

fn session() -> Duration {
    Duration::from_secs(12 * 3600)
}

impl Nip98 {
    /// Its numbers, with their bounds.
    pub(super) fn numbers(&self) -> Vec<Number> {
        /// Each event is remembered for twice as long.
        const WIDEST: Duration = Duration::from_secs(600);

        vec![
            // Event times are in seconds.
            Number::time("window", self.window, SECOND..=WIDEST),
            Number::time("session", self.session, MINUTE..=LONGEST),
        ]
    }

    /// Checks the values.
    pub(super) fn check(&self, wrong: &mut InSection<'_>) {
        let url = Url::parse(&self.public_url).ok();
        let is_bare = |url: &Url| url.query().is_none() && url.fragment().is_none() && url.has_host();
        let is_web = |url: &Url| {
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
        };
        if !url.is_some_and(|url| is_bare(&url) && is_web(&url)) || self.public_url.ends_with('/') {
            wrong.add("public_url", "must be like https://app.example, without a slash at its end");
        }
    }
}
