//! Deadlines that fire by themselves.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::registry::ChallengeId;
use crate::clock::{Clock, Jump, Timestamp};
use crate::store::StreamId;

/// The wall clock may be changed during a sleep, so no sleep is longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Something with a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Due {
    Handshake(StreamId),
    Challenge(ChallengeId),
}

/// All deadlines, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    queue: Mutex<Queue>,
    sooner: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    ordered: BTreeSet<(Timestamp, Due)>,
    /// Deadlines that moved with the clock. Wallets and the store know them by their old time.
    moved: HashMap<Due, Timestamp>,
    /// When the clock was last read, and its value.
    last: Option<(Instant, Timestamp)>,
}

impl Queue {
    /// The current deadline of something with this original deadline.
    fn of(&self, due: Due, at: Timestamp) -> Timestamp {
        self.moved.get(&due).copied().unwrap_or(at)
    }

    /// Reads the clock. If it jumped, all deadlines move with it, so the remaining times stay the same.
    fn follow(&mut self, now: Timestamp) {
        let at = Instant::now();
        let jump = self.last.and_then(|(before, showed)| Jump::between(showed, now, at - before));
        self.last = Some((at, now));
        let Some(jump) = jump else { return };
        for (at, due) in std::mem::take(&mut self.ordered) {
            let at = match jump {
                Jump::Ahead(by) => at.plus(by),
                Jump::Back(by) => at.minus(by),
            };
            self.moved.insert(due, at);
            self.ordered.insert((at, due));
        }
    }
}

impl Deadlines {
    pub(super) fn add(&self, at: Timestamp, due: Due) {
        let mut queue = self.queue();
        queue.moved.remove(&due);
        queue.ordered.insert((at, due));
        if queue.ordered.first() == Some(&(at, due)) {
            self.sooner.notify_one();
        }
    }

    pub(super) fn remove(&self, at: Timestamp, due: Due) {
        let mut queue = self.queue();
        let at = queue.of(due, at);
        queue.moved.remove(&due);
        queue.ordered.remove(&(at, due));
    }

    /// Reads the clock before a deadline is counted from it. If the clock has jumped since the last reading,
    /// the other deadlines move now, so that the new one does not move with them later.
    pub(super) fn follow(&self, now: Timestamp) {
        self.queue().follow(now);
    }

    /// The current deadline of something with this original deadline: it moves with the clock.
    pub(super) fn of(&self, due: Due, at: Timestamp) -> Timestamp {
        self.queue().of(due, at)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The earliest deadline.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.queue().ordered.first().map(|(at, _)| *at)
    }

    /// Waits until something is due, and removes it.
    pub(super) async fn next(&self, clock: &dyn Clock) -> Vec<Due> {
        loop {
            let now = clock.now();
            self.follow(now);
            let wait = match self.take_due(now) {
                Ok(due) => return due,
                Err(wait) => wait,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.sooner.notified() => {}
            }
        }
    }

    /// Everything that is due at `now`, or how long to wait before the next check.
    fn take_due(&self, now: Timestamp) -> Result<Vec<Due>, Duration> {
        let mut queue = self.queue();
        let mut due = Vec::new();
        while let Some((at, next)) = queue.ordered.first().copied() {
            if at > now {
                break;
            }
            queue.ordered.pop_first();
            queue.moved.remove(&next);
            due.push(next);
        }
        match queue.ordered.first() {
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

    /// A clock that can be set ahead.
    #[derive(Debug)]
    struct Settable(TokioClock, std::sync::atomic::AtomicU64);

    impl Clock for Settable {
        fn now(&self) -> Timestamp {
            self.0.now().plus(Duration::from_secs(self.1.load(std::sync::atomic::Ordering::SeqCst)))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn users_have_the_time_that_they_were_given_whatever_the_clock_is_set_to() {
        let clock = TokioClock::starting_at(Timestamp::from_secs(1000));
        let clock = Arc::new(Settable(clock, 0.into()));
        let deadlines = Arc::new(Deadlines::default());
        let (first, second) = (Timestamp::from_secs(1300), Timestamp::from_secs(1400));
        deadlines.add(first, stream(1));
        deadlines.add(second, stream(2));
        let fired = tokio::spawn({
            let (deadlines, clock) = (Arc::clone(&deadlines), Arc::clone(&clock));
            async move { (deadlines.next(&*clock).await, clock.0.now()) }
        });
        tokio::task::yield_now().await;
        clock.1.store(8 * 24 * 3600, std::sync::atomic::Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(60)).await;
        tokio::task::yield_now().await;
        assert_eq!(deadlines.of(stream(2), second), second.plus(Duration::from_secs(8 * 24 * 3600)));
        deadlines.remove(second, stream(2));
        assert_eq!(fired.await.unwrap(), (vec![stream(1)], first));
        assert_eq!(deadlines.earliest(), None, "what was answered is gone, under its old time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_from_after_a_jump_is_not_moved_by_that_jump() {
        let clock = Settable(TokioClock::starting_at(Timestamp::from_secs(1000)), 0.into());
        let deadlines = Deadlines::default();
        deadlines.follow(clock.now());
        deadlines.add(Timestamp::from_secs(1400), stream(1));
        clock.1.store(8 * 24 * 3600, std::sync::atomic::Ordering::SeqCst);
        deadlines.follow(clock.now());
        let new = clock.now().plus(Duration::from_secs(300));
        deadlines.add(new, stream(2));
        assert_eq!(deadlines.next(&clock).await, [stream(2)]);
        assert_eq!(clock.now(), new);
        assert_eq!(deadlines.next(&clock).await, [stream(1)], "and the one from before still had its time");
        assert_eq!(clock.0.now(), Timestamp::from_secs(1400));
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
