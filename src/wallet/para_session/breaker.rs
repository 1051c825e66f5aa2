//! A provider that fails again and again is left alone for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

/// Failures in a row after which it is left alone.
const MOST: u32 = 5;

/// For how long, and how often one question tries it again.
const REST: Duration = Duration::from_secs(10);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    rests_until: Option<Timestamp>,
}

impl Breaker {
    /// Whether a question may be asked now; if not, how long none will be. After a rest one goes, and the others
    /// wait for what comes of it.
    pub(super) fn pass(&self, now: Timestamp) -> Result<(), Duration> {
        let mut state = self.state();
        if let Some(until) = state.rests_until {
            // A clock that was set back must not make it a long rest.
            if now < until && until.since(now) <= REST {
                return Err(until.since(now));
            }
            state.rests_until = Some(now.plus(REST));
        }
        Ok(())
    }

    /// The provider has answered as it should, whatever it said.
    pub(super) fn answered(&self) {
        *self.state() = State::default();
    }

    /// It has not.
    pub(super) fn failed(&self, now: Timestamp) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= MOST {
            state.rests_until = Some(now.plus(REST));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Timestamp = Timestamp::from_secs;

    fn open_at(now: Timestamp) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..MOST {
            breaker.pass(now).unwrap();
            breaker.failed(now);
        }
        breaker
    }

    #[test]
    fn a_provider_that_is_down_is_not_asked_by_everybody() {
        let breaker = open_at(AT(100));
        assert_eq!(breaker.pass(AT(104)), Err(Duration::from_secs(6)));
        // One tries it, and no second.
        breaker.pass(AT(110)).unwrap();
        breaker.pass(AT(110)).unwrap_err();
        breaker.failed(AT(112));
        assert_eq!(breaker.pass(AT(121)), Err(Duration::from_secs(1)));
        // One that never came back does not block the next.
        breaker.pass(AT(122)).unwrap();
        breaker.pass(AT(132)).unwrap();
        breaker.answered();
        breaker.pass(AT(132)).unwrap();
        breaker.pass(AT(132)).unwrap();
    }

    #[test]
    fn only_failures_in_a_row_count_and_a_clock_set_back_does_not_keep_it_shut() {
        let breaker = Breaker::default();
        for _ in 0..10 * MOST {
            breaker.failed(AT(1));
            breaker.answered();
        }
        breaker.pass(AT(1)).unwrap();
        open_at(AT(1000)).pass(AT(1)).unwrap();
    }
}
