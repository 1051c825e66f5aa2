//! Stays away from a hostile relay.

use std::time::Duration;

use tokio::time::Instant;

use super::error::LinkError;
use super::health::RelayState;
use super::link::Link;
use crate::shown;

/// The longest pause is this many times the first one.
const LONGEST: u32 = 60;

/// The length of the pauses of one relay: each twice as long as the one before, unless the relay behaved for
/// long.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    times: u32,
    ended_at: Option<Instant>,
}

impl Pauses {
    /// The length of the pause that begins now; the first one lasts for `first`.
    pub(super) fn next(&mut self, first: Duration, now: Instant) -> Duration {
        if self.ended_at.is_some_and(|ended| now.saturating_duration_since(ended) > first * LONGEST) {
            self.times = 0;
        }
        let pause = first * 2_u32.saturating_pow(self.times).min(LONGEST);
        self.times += 1;
        self.ended_at = Some(now + pause);
        pause
    }
}

impl Link {
    /// Resolves when the relay is hostile and another relay is ready. The only relay of the wallets stays
    /// connected even if it is hostile: its budget bounds the harm.
    pub(super) async fn turns_hostile(&self) {
        loop {
            self.tap.hostile.notified().await;
            let others = self.shared.readiness.count().saturating_sub(usize::from(self.makes_ready()));
            if others > 0 || !self.is_general() {
                return;
            }
            tracing::warn!(relay = %shown::relay(&self.spec.url), "the only relay is hostile, so it stays connected: {}", LinkError::Hostile);
        }
    }

    /// Stays away, after the connection has ended.
    pub(super) async fn pause(&self, pause: Duration) {
        tracing::warn!(relay = %shown::relay(&self.spec.url), ?pause, "disconnected for a while: {}", LinkError::Hostile);
        self.tap.health.failed(LinkError::Hostile);
        self.enter(RelayState::Paused);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn pauses_double_up_to_an_hour_and_good_behaviour_is_rewarded() {
        let (mut pauses, mut now) = (Pauses::default(), Instant::now());
        let minutes: Vec<_> = (0..8)
            .map(|_| {
                let pause = pauses.next(MINUTE, now);
                now += pause;
                pause.as_secs() / 60
            })
            .collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pauses.next(MINUTE, now + MINUTE * 61), MINUTE);
    }
}
