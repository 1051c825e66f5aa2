//! Connects to a relay, and tries again until it succeeds.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff;
use super::dial::{Socket, Terms, dial};
use super::error::LinkError;
use super::link::Link;
use super::pace::Pace;
use crate::shown;

/// A connection that ended sooner counts as a failed attempt: a relay that accepts connections and ends them
/// at once is tried less and less often.
const HELD: Duration = backoff::LONGEST;

/// Attempts to connect to one relay that failed in a row. Pure: time is an argument.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    failures: u32,
    connected_at: Option<Instant>,
}

impl Attempts {
    /// How long to wait before the next attempt.
    fn wait(&self, retry: Duration) -> Duration {
        backoff::delay(retry, self.failures)
    }

    /// The attempt failed.
    fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The attempt succeeded.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected_at = Some(now);
    }

    /// The connection ended.
    pub(super) fn ended(&mut self, now: Instant) {
        if self.connected_at.take().is_some_and(|connected| now - connected >= HELD) {
            self.failures = 0;
        }
        self.failed();
    }
}

impl Link {
    /// A connection to the relay, and the pace at which to read it.
    pub(super) async fn reach(&self, attempts: &mut Attempts) -> (Socket, Pace) {
        let options = &self.shared.options;
        loop {
            let wait = backoff::jitter(attempts.wait(options.retry), &mut rand::thread_rng());
            tokio::time::sleep(wait).await;
            let pace = Pace::default();
            let terms = Terms::of(self.tap.origin, self.tap.public_only, pace.clone());
            let dialling = dial((&self.spec.url).into(), &terms, &options.tls);
            match tokio::time::timeout(options.connect_timeout, dialling).await {
                Ok(Ok(socket)) => return (socket, pace),
                Ok(Err(error)) => self.cannot_connect(error),
                Err(_) => self.cannot_connect(LinkError::TimedOut),
            }
            attempts.failed();
        }
    }

    fn cannot_connect(&self, error: LinkError) {
        let (relay, code) = (shown::relay(&self.spec.url), error.code());
        // The same trouble again is no news, and a stranger's relay none at all.
        if self.tap.health.failed(error.clone()) && !self.tap.public_only {
            tracing::warn!(%relay, code, %error, "cannot connect to the relay");
        } else {
            tracing::debug!(%relay, code, %error, "cannot connect to the relay");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Duration = Duration::from_secs(1);

    #[test]
    fn a_relay_that_confirms_and_hangs_up_at_once_is_dialled_less_and_less_often() {
        let (mut attempts, mut now) = (Attempts::default(), Instant::now());
        let waits: Vec<_> = (0..8)
            .map(|_| {
                let wait = attempts.wait(RETRY);
                now += wait;
                attempts.connected(now);
                attempts.ended(now + RETRY);
                wait.as_secs()
            })
            .collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60]);
        attempts.connected(now);
        attempts.ended(now + HELD);
        assert_eq!(attempts.wait(RETRY), RETRY, "it held for a while");
    }

    #[test]
    fn attempts_that_fail_are_repeated_less_and_less_often() {
        let mut attempts = Attempts::default();
        let waits: Vec<_> = (0..4)
            .map(|_| {
                let wait = attempts.wait(RETRY);
                attempts.failed();
                wait.as_secs()
            })
            .collect();
        assert_eq!(waits, [0, 1, 2, 4]);
    }
}
