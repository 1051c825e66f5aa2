//! Whether any relay is ready, and whether one was ready before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::clock::{SharedClock, Timestamp};

/// Counts the relays that are ready for a login: subscribed, so that an answer arrives.
#[derive(Debug)]
pub(super) struct Readiness {
    clock: SharedClock,
    ready: watch::Sender<usize>,
    /// When the last ready relay stopped being ready, in milliseconds; zero: never.
    last_left: AtomicU64,
}

/// Counts one relay as ready while this value lives.
#[derive(Debug)]
pub(super) struct Ready(Arc<Readiness>);

impl Readiness {
    pub(super) fn new(clock: SharedClock) -> Arc<Self> {
        Arc::new(Self { clock, ready: watch::Sender::new(0), last_left: AtomicU64::new(0) })
    }

    /// A relay became ready.
    pub(super) fn enter(self: &Arc<Self>) -> Ready {
        self.ready.send_modify(|count| *count += 1);
        Ready(Arc::clone(self))
    }

    /// How many relays are ready.
    pub(super) fn count(&self) -> usize {
        *self.ready.borrow()
    }

    /// Whether at least one relay was ready at any moment in `[moment, now]`.
    pub(super) fn any_since(&self, moment: Timestamp) -> bool {
        // In this order: a relay that leaves in between has written the time before it leaves the count.
        let ready = *self.ready.borrow() > 0;
        let last_left = self.last_left.load(Ordering::Acquire);
        ready || (last_left > 0 && last_left >= moment.millis())
    }

    /// Resolves when at least one relay is ready.
    pub(super) async fn any(&self) {
        // An error would mean that the sender is gone; it is ours.
        let _ = self.ready.subscribe().wait_for(|count| *count > 0).await;
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.0.last_left.fetch_max(self.0.clock.now().millis(), Ordering::Release);
        self.0.ready.send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TokioClock;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_relay_was_ready_since_before_it_left() {
        let clock = TokioClock::starting_at(Timestamp::from_secs(100));
        let readiness = Readiness::new(Arc::new(clock));
        assert!(!readiness.any_since(Timestamp::from_secs(0)));

        let ready = readiness.enter();
        assert!(readiness.any_since(Timestamp::from_secs(100)));
        tokio::time::advance(Duration::from_secs(10)).await;
        drop(ready);
        tokio::time::advance(Duration::from_secs(10)).await;

        assert!(readiness.any_since(Timestamp::from_secs(110)));
        assert!(!readiness.any_since(Timestamp::from_secs(111)));
    }

    #[tokio::test]
    async fn waiting_ends_when_a_relay_becomes_ready() {
        let readiness = Readiness::new(Arc::new(TokioClock::starting_at(Timestamp::from_secs(1))));
        let waiting = tokio::spawn({
            let readiness = Arc::clone(&readiness);
            async move { readiness.any().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let _ready = readiness.enter();
        waiting.await.unwrap();
    }
}
