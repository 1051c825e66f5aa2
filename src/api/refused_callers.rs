//! Callers whom the guard does not know: counted, and named in the log now and then, so that a flood of guesses is seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::http::peer::Peer;
use crate::metrics::Metrics;

/// The log reports one of them in this time, because anybody who reaches a socket can cause them.
const EVERY: Duration = Duration::from_secs(60);

/// Why a caller was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// No API token has this text. It may be one that was revoked.
    WrongToken,
    /// The API token has expired.
    ExpiredToken,
    /// On the Unix socket: the configuration does not list this user.
    UnlistedUser,
}

impl Why {
    /// The word in the metrics and in the log.
    const fn word(self) -> &'static str {
        match self {
            Self::WrongToken => "wrong_token",
            Self::ExpiredToken => "expired_token",
            Self::UnlistedUser => "unlisted_user",
        }
    }
}

/// Counts refused callers, and logs some of them.
#[derive(Debug)]
pub(super) struct RefusedCallers {
    metrics: Arc<Metrics>,
    unlogged: Mutex<Unlogged>,
}

/// What the log has not reported yet.
#[derive(Debug, Default)]
struct Unlogged {
    logged_at: Option<Instant>,
    more: u64,
}

impl RefusedCallers {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, unlogged: Mutex::default() }
    }

    /// A caller was refused.
    pub(super) fn note(&self, peer: Peer, why: Why) {
        self.metrics.api.caller_refused(why.word());
        let mut unlogged = self.unlogged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = unlogged.due(Instant::now()) {
            let reason = why.word();
            tracing::warn!(%peer, reason, unlogged = more, "refused a caller that Portico does not know");
        }
    }
}

impl Unlogged {
    /// Whether to report one at `now`: how many the log has left out since the one before.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if self.logged_at.is_some_and(|last| now.duration_since(last) < EVERY) {
            self.more += 1;
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_in_a_minute_and_the_next_line_says_how_many_were_left_out() {
        let (mut unlogged, now) = (Unlogged::default(), Instant::now());
        assert_eq!(unlogged.due(now), Some(0));
        for _ in 0..5_000 {
            assert_eq!(unlogged.due(now + EVERY / 2), None);
        }
        assert_eq!(unlogged.due(now + EVERY), Some(5_000));
        assert_eq!(unlogged.due(now + EVERY + EVERY), Some(0));
    }
}
