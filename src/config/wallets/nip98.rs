//! `[wallets.nip98]`: users who sign each request with their Nostr key.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

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
    /// Checks the values. The error is the key, and the reason.
    pub(in crate::config) fn check(&self) -> Result<(), (&'static str, String)> {
        /// Event times are in seconds.
        const SHORTEST: Duration = Duration::from_secs(1);
        /// Each event is remembered for twice as long.
        const WIDEST: Duration = Duration::from_secs(600);

        let url = Url::parse(&self.public_url).ok();
        let is_bare = |url: &Url| url.query().is_none() && url.fragment().is_none() && url.has_host();
        let is_web = |url: &Url| {
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
        };
        if !url.is_some_and(|url| is_bare(&url) && is_web(&url)) || self.public_url.ends_with('/') {
            let reason = "must be like https://app.example, without a slash at its end";
            return Err(("wallets.nip98.public_url", reason.into()));
        }
        if !(SHORTEST..=WIDEST).contains(&self.window) {
            return Err(("wallets.nip98.window", "must be from 1s to 10m".into()));
        }
        if self.session < Duration::from_secs(60) {
            return Err(("wallets.nip98.session", "must be at least 1m".into()));
        }
        Ok(())
    }
}
