//! The order and the speed at which open publications go to one ready relay. Pure: time is an argument.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::backoff;
use super::outbox::Open;

/// At most this many events are sent at a time.
pub(super) const BATCH: usize = 32;

/// Repetitions are sent at most one batch per this time, so that a hundred thousand open publications neither
/// delay new ones nor overload a relay that has just come back.
const PACE: Duration = Duration::from_millis(20);

/// The wait before the first repetition of a publication; it doubles.
const REPEAT: Duration = Duration::from_secs(2);

/// The publications that wait to be sent to one relay. They are held weakly: a withdrawn one disappears.
#[derive(Debug, Default)]
pub(super) struct Lane {
    fresh: VecDeque<Weak<Open>>,
    /// To be sent again as soon as the pace allows, with the number of times that it was sent before.
    again: VecDeque<(Weak<Open>, u32)>,
    later: BinaryHeap<Reverse<Later>>,
    /// No repetition before this moment.
    paused_until: Option<Instant>,
}

/// A publication to send, and how often it was sent to this relay before, on this connection.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) open: Arc<Open>,
    times: u32,
}

#[derive(Debug)]
struct Later {
    due: Instant,
    times: u32,
    open: Weak<Open>,
}

impl Lane {
    /// Adds a new publication: it goes first.
    pub(super) fn push(&mut self, open: &Arc<Open>) {
        self.fresh.push_back(Arc::downgrade(open));
    }

    /// Starts again with all open publications, at the pace of repetitions; replaces everything that waits.
    pub(super) fn refill(&mut self, open: impl IntoIterator<Item = Weak<Open>>) {
        self.fresh.clear();
        self.later.clear();
        self.again = open.into_iter().map(|open| (open, 0)).collect();
    }

    /// What to send now.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Job> {
        let mut jobs = Vec::new();
        while jobs.len() < BATCH
            && let Some(open) = self.fresh.pop_front()
        {
            jobs.extend(open.upgrade().map(|open| Job { open, times: 0 }));
        }
        if !jobs.is_empty() || self.paused_until.is_some_and(|until| now < until) {
            return jobs;
        }
        while let Some(Reverse(later)) = self.later.peek()
            && later.due <= now
            && let Some(Reverse(later)) = self.later.pop()
        {
            self.again.push_back((later.open, later.times));
        }
        while jobs.len() < BATCH
            && let Some((open, times)) = self.again.pop_front()
        {
            jobs.extend(open.upgrade().map(|open| Job { open, times }));
        }
        self.paused_until = (!jobs.is_empty()).then(|| now + PACE);
        jobs
    }

    /// `job` was sent: schedules the repetition.
    pub(super) fn sent(&mut self, job: &Job, now: Instant) {
        let times = job.times.saturating_add(1);
        self.put_off(&job.open, times, now);
    }

    /// `job` could not be sent: it is due again after the shortest wait.
    pub(super) fn failed(&mut self, job: &Job, now: Instant) {
        self.put_off(&job.open, 1, now);
    }

    /// When the next publication may be due, if none is pushed before.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        if !self.fresh.is_empty() {
            return Some(now);
        }
        let due = if self.again.is_empty() { self.later.peek().map(|later| later.0.due)? } else { now };
        Some(self.paused_until.map_or(due, |until| due.max(until)))
    }

    fn put_off(&mut self, open: &Arc<Open>, times: u32, now: Instant) {
        let due = now + backoff::delay(REPEAT, times);
        self.later.push(Reverse(Later { due, times, open: Arc::downgrade(open) }));
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Later {}

#[cfg(test)]
mod tests {
    use super::super::outbox::tests::open;
    use super::*;

    fn sent(lane: &mut Lane, now: Instant) -> usize {
        let jobs = lane.take(now);
        jobs.iter().for_each(|job| lane.sent(job, now));
        jobs.len()
    }

    #[test]
    fn a_publication_is_repeated_after_2_4_8_16_32_and_then_every_60_seconds() {
        let (mut lane, open) = (Lane::default(), open());
        let start = Instant::now();
        lane.push(&open);
        let mut moments = Vec::new();
        let mut now = start;
        while moments.len() < 8 {
            if sent(&mut lane, now) == 1 {
                moments.push((now - start).as_secs());
            }
            now = lane.next(now).unwrap();
        }
        assert_eq!(moments, [0, 2, 6, 14, 30, 62, 122, 182]);
    }

    #[test]
    fn a_withdrawn_publication_is_not_sent_again() {
        let (mut lane, open) = (Lane::default(), open());
        let start = Instant::now();
        lane.push(&open);
        assert_eq!(sent(&mut lane, start), 1);
        drop(open);
        let due = lane.next(start).unwrap();
        assert_eq!(sent(&mut lane, due), 0);
        assert_eq!(lane.next(due), None);
    }

    #[test]
    fn a_hundred_thousand_repetitions_do_not_delay_a_new_publication() {
        let mut lane = Lane::default();
        let all: Vec<_> = std::iter::repeat_with(open).take(1000).collect();
        lane.refill(all.iter().cycle().take(100_000).map(Arc::downgrade));
        let now = Instant::now();
        assert_eq!(sent(&mut lane, now), BATCH);
        assert_eq!(sent(&mut lane, now), 0, "repetitions keep a pace");

        let new = open();
        lane.push(&new);
        assert_eq!(lane.next(now), Some(now));
        let jobs = lane.take(now);
        assert_eq!(jobs.len(), 1);
        assert!(Arc::ptr_eq(&jobs[0].open, &new));
        assert_eq!(sent(&mut lane, now + PACE), BATCH);
    }

    #[test]
    fn what_could_not_be_sent_is_due_again_soon() {
        let (mut lane, open) = (Lane::default(), open());
        let now = Instant::now();
        lane.push(&open);
        let jobs = lane.take(now);
        lane.failed(&jobs[0], now);
        assert_eq!(lane.next(now), Some(now + REPEAT));
    }
}
