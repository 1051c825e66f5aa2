//! A circuit breaker for the provider: for each session, and for all of them.
//!
//! The cookie comes from the user, and some users can make the provider fail for theirs. So failures count for the
//! cookie that met them, and only failures of several different cookies in a row count for the provider. Even then
//! the circuit is half-open: one question at a time finds out whether the provider works again.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clock::Timestamp;

/// After this many failures in a row a cookie rests, and after this many different cookies the circuit is half-open.
const MOST: usize = 5;

/// How long a cookie rests, and how often one question tries it again.
const REST: Duration = Duration::from_secs(10);

/// How many questions may run at the same time about sessions that the provider has confirmed before, and as many
/// about others: a stranger with many cookies takes no place from users.
const AT_ONCE: usize = 16;

/// How many cookies are remembered with their failures.
const REMEMBERED: usize = 10_000;

/// Identifies a session by its cookie.
pub(super) type Name = [u8; 32];

/// The session that a question is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    /// The session's name.
    pub(super) name: Name,
    /// Whether the provider has confirmed it before.
    pub(super) is_known: bool,
}

/// Why a question is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The provider failed repeatedly for this session.
    Rests(Duration),
    /// The provider failed for many sessions, and another caller is trying it.
    Tried,
    /// Too many questions are in progress.
    Crowded,
}

/// Counts failures.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    known: Semaphore,
    others: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    /// The last failures of the cookies.
    failing: HashMap<Name, Failing>,
    /// The sessions with failed questions since the last answer; at most [`MOST`].
    in_a_row: HashSet<Name>,
}

#[derive(Debug, Default)]
struct Failing {
    failures: usize,
    rests_until: Option<Timestamp>,
}

/// The permission to ask a question. The caller reports the result with [`Permit::answered`] or [`Permit::failed`].
#[derive(Debug)]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    name: Name,
    _permit: SemaphorePermit<'a>,
}

impl Default for Breaker {
    fn default() -> Self {
        let (known, others) = (Semaphore::new(AT_ONCE), Semaphore::new(AT_ONCE));
        Self { state: Mutex::default(), known, others }
    }
}

impl Breaker {
    /// A place for a question. Waits at most this long if none is free.
    pub(super) async fn pass(
        &self,
        asker: Asker,
        now: Timestamp,
        patience: Duration,
    ) -> Result<Permit<'_>, Closed> {
        self.state().rest(asker.name, now)?;
        let places = if asker.is_known { &self.known } else { &self.others };
        let permit = match tokio::time::timeout(patience, places.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => return Err(Closed::Crowded),
        };
        // What holds a place now is the permit of this question among others.
        let is_alone = places.available_permits() + 1 == AT_ONCE;
        let mut state = self.state();
        if state.is_narrow() && !is_alone {
            return Err(Closed::Tried);
        }
        state.try_again(asker.name, now);
        Ok(Permit { breaker: self, name: asker.name, _permit: permit })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The provider answered properly, whatever the answer was.
    pub(super) fn answered(self) {
        let mut state = self.breaker.state();
        state.failing.remove(&self.name);
        state.in_a_row.clear();
    }

    /// The provider did not answer properly.
    pub(super) fn failed(self, now: Timestamp) {
        self.breaker.state().failed(self.name, now);
    }
}

impl State {
    fn is_narrow(&self) -> bool {
        self.in_a_row.len() >= MOST
    }

    /// How long this cookie still rests, if it does.
    fn rest(&self, name: Name, now: Timestamp) -> Result<(), Closed> {
        match self.failing.get(&name).and_then(|failing| failing.rests_until) {
            // A clock that was set back must not make it a long rest.
            Some(until) if now < until && until.since(now) <= REST => Err(Closed::Rests(until.since(now))),
            _ => Ok(()),
        }
    }

    /// After the rest one question is asked, and the others of that cookie wait for its result.
    fn try_again(&mut self, name: Name, now: Timestamp) {
        if let Some(failing) = self.failing.get_mut(&name).filter(|failing| failing.rests_until.is_some()) {
            failing.rests_until = Some(now.plus(REST));
        }
    }

    fn failed(&mut self, name: Name, now: Timestamp) {
        if self.failing.len() >= REMEMBERED && !self.failing.contains_key(&name) {
            self.failing.retain(|_, failing| failing.rests_until.is_some_and(|until| now < until));
        }
        // If the table is full, Portico asks one question at a time anyway.
        if self.failing.len() < REMEMBERED || self.failing.contains_key(&name) {
            let failing = self.failing.entry(name).or_default();
            failing.failures += 1;
            if failing.failures >= MOST {
                failing.rests_until = Some(now.plus(REST));
            }
        }
        if !self.is_narrow() {
            self.in_a_row.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Timestamp = Timestamp::from_secs;
    const PATIENCE: Duration = Duration::from_secs(5);

    fn stranger(number: usize) -> Asker {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_be_bytes());
        Asker { name, is_known: false }
    }

    fn user(number: usize) -> Asker {
        Asker { is_known: true, ..stranger(number) }
    }

    async fn pass(breaker: &Breaker, asker: Asker, at: u64) -> Result<Permit<'_>, Closed> {
        breaker.pass(asker, AT(at), PATIENCE).await
    }

    async fn fail(breaker: &Breaker, asker: Asker, at: u64) {
        pass(breaker, asker, at).await.unwrap().failed(AT(at));
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_cookie_fails_again_and_again_shuts_the_door_for_that_cookie_alone() {
        let breaker = Breaker::default();
        for _ in 0..MOST {
            fail(&breaker, stranger(1), 100).await;
        }
        let rests = Closed::Rests(Duration::from_secs(6));
        assert_eq!(pass(&breaker, stranger(1), 104).await.unwrap_err(), rests);
        // Everybody else goes in, many at a time.
        let mut places = Vec::new();
        for number in 2..10 {
            places.push(pass(&breaker, stranger(number), 104).await.unwrap());
        }
        drop(places);
        // One question tries it, and no second.
        let tried = pass(&breaker, stranger(1), 110).await.unwrap();
        pass(&breaker, stranger(1), 110).await.unwrap_err();
        tried.failed(AT(112));
        let rests = Closed::Rests(Duration::from_secs(1));
        assert_eq!(pass(&breaker, stranger(1), 121).await.unwrap_err(), rests);
        // One that never came back does not block the next.
        drop(pass(&breaker, stranger(1), 122).await.unwrap());
        pass(&breaker, stranger(1), 132).await.unwrap().answered();
        drop(pass(&breaker, stranger(1), 132).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_fails_for_many_is_asked_by_one_at_a_time_until_it_answers() {
        let breaker = Breaker::default();
        for number in 0..MOST {
            fail(&breaker, stranger(number), 100).await;
        }
        let first = pass(&breaker, stranger(7), 100).await.unwrap();
        assert_eq!(pass(&breaker, stranger(8), 100).await.unwrap_err(), Closed::Tried);
        // A stranger who has the provider hang holds no place of those whom it has vouched for.
        let known = pass(&breaker, user(9), 100).await.unwrap();
        assert_eq!(pass(&breaker, user(10), 100).await.unwrap_err(), Closed::Tried);
        first.failed(AT(101));
        assert_eq!(pass(&breaker, user(10), 101).await.unwrap_err(), Closed::Tried);
        known.answered();
        let _together =
            (pass(&breaker, user(9), 101).await.unwrap(), pass(&breaker, user(10), 101).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_with_many_cookies_takes_no_place_from_users() {
        let breaker = Breaker::default();
        let mut hanging = Vec::new();
        for number in 0..AT_ONCE {
            hanging.push(pass(&breaker, stranger(number), 100).await.unwrap());
        }
        assert_eq!(pass(&breaker, stranger(AT_ONCE), 100).await.unwrap_err(), Closed::Crowded);
        drop(pass(&breaker, user(99), 100).await.unwrap());
        hanging.pop();
        drop(pass(&breaker, stranger(AT_ONCE), 100).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn only_failures_in_a_row_count_and_a_clock_set_back_keeps_nothing_shut() {
        let breaker = Breaker::default();
        for round in 0..10 * MOST {
            fail(&breaker, stranger(round), 1).await;
            pass(&breaker, stranger(round), 1).await.unwrap().answered();
        }
        let _many =
            (pass(&breaker, stranger(1), 1).await.unwrap(), pass(&breaker, stranger(2), 1).await.unwrap());
        for _ in 0..MOST {
            fail(&breaker, user(3), 1000).await;
        }
        drop(pass(&breaker, user(3), 1).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_cookies_that_fail_takes_a_bounded_room() {
        let breaker = Breaker::default();
        for number in 0..REMEMBERED + 100 {
            fail(&breaker, stranger(number), 100).await;
        }
        assert!(breaker.state().failing.len() <= REMEMBERED);
        assert_eq!(breaker.state().in_a_row.len(), MOST);
    }
}
