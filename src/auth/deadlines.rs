//! What ends when: deadlines that fire by themselves.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::registry::ChallengeId;
use crate::clock::{Clock, Timestamp};
use crate::store::StreamId;

/// The wall clock may be set while we sleep, so no sleep is longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What reaches its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Handshake(StreamId),
    Challenge(ChallengeId),
}

/// All deadlines, the next one first.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    queue: Mutex<BTreeSet<(Timestamp, Due)>>,
    sooner: Notify,
}

impl Deadlines {
    pub(super) fn add(&self, at: Timestamp, due: Due) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.insert((at, due));
        if queue.first() == Some(&(at, due)) {
            self.sooner.notify_one();
        }
    }

    pub(super) fn remove(&self, at: Timestamp, due: Due) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).remove(&(at, due));
    }

    /// The next one.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).first().map(|(at, _)| *at)
    }

    /// Waits until something is due and takes it out.
    pub(super) async fn next(&self, clock: &dyn Clock) -> Vec<Due> {
        loop {
            let wait = match self.take_due(clock.now()) {
                Ok(due) => return due,
                Err(wait) => wait,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.sooner.notified() => {}
            }
        }
    }

    /// Everything that is due at `now`, or how long to wait before looking again.
    fn take_due(&self, now: Timestamp) -> Result<Vec<Due>, Duration> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while let Some((at, _)) = queue.first() {
            if *at > now {
                break;
            }
            due.extend(queue.pop_first().map(|(_, due)| due));
        }
        match queue.first() {
            _ if !due.is_empty() => Ok(due),
            Some((at, _)) => Err(at.since(now).min(LONGEST_SLEEP)),
            None => Err(LONGEST_SLEEP),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::TokioClock;

    fn stream(n: u8) -> Due {
        Due::Handshake(StreamId::from_bytes([n; 16]))
    }

    #[tokio::test(start_paused = true)]
    async fn deadlines_fire_in_order_at_their_time() {
        let clock = TokioClock::starting_at(Timestamp::from_secs(1000));
        let deadlines = Deadlines::default();
        deadlines.add(Timestamp::from_secs(1300), stream(2));
        deadlines.add(Timestamp::from_secs(1100), stream(1));
        assert_eq!(deadlines.next(&clock).await, [stream(1)]);
        assert_eq!(clock.now(), Timestamp::from_secs(1100));
        assert_eq!(deadlines.next(&clock).await, [stream(2)]);
        assert_eq!(clock.now(), Timestamp::from_secs(1300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sooner_deadline_wakes_the_sleeper() {
        let clock = TokioClock::starting_at(Timestamp::from_secs(1000));
        let deadlines = Arc::new(Deadlines::default());
        deadlines.add(Timestamp::from_secs(1020), stream(2));
        let sleeper = tokio::spawn({
            let deadlines = Arc::clone(&deadlines);
            async move { (deadlines.next(&clock).await, clock.now()) }
        });
        tokio::task::yield_now().await;
        deadlines.add(Timestamp::from_secs(1010), stream(1));
        assert_eq!(sleeper.await.unwrap(), (vec![stream(1)], Timestamp::from_secs(1010)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_answered_in_time_does_not_fire() {
        let clock = TokioClock::starting_at(Timestamp::from_secs(1000));
        let deadlines = Deadlines::default();
        deadlines.add(Timestamp::from_secs(1100), stream(1));
        deadlines.add(Timestamp::from_secs(1200), stream(2));
        deadlines.remove(Timestamp::from_secs(1100), stream(1));
        assert_eq!(deadlines.next(&clock).await, [stream(2)]);
    }
}
