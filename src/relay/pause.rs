//! Leaving a hostile relay alone.

use std::time::Duration;

use tokio::time::Instant;

use super::error::LinkError;
use super::health::RelayState;
use super::link::Link;
use crate::shown;

/// No pause is more times as long as the first.
const LONGEST: u32 = 60;

/// How long each pause of one relay is: twice as long as the one before, unless it behaved for long.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    times: u32,
    ended_at: Option<Instant>,
}

impl Pauses {
    /// How long the pause is that begins now; the first one lasts for `first`.
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
    /// Resolves when the relay has turned hostile and can be done without. The only way that is left to the
    /// wallets is kept, bad as it is: the relay's budget bounds the harm.
    pub(super) async fn turns_hostile(&self) {
        loop {
            self.tap.hostile.notified().await;
            let others = self.shared.readiness.count().saturating_sub(usize::from(self.makes_ready()));
            if others > 0 || !self.is_general() {
                return;
            }
            tracing::warn!(relay = %shown::relay(&self.spec.url), "the only relay is hostile: {}", LinkError::Hostile);
        }
    }

    /// Hang up and stay away.
    pub(super) async fn pause(&self, pause: Duration) {
        tracing::warn!(relay = %shown::relay(&self.spec.url), ?pause, "left alone for a while: {}", LinkError::Hostile);
        self.disconnect();
        self.tap.health.failed(LinkError::Hostile);
        self.enter(RelayState::Paused);
        tokio::time::sleep(pause).await;
        self.connect();
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
