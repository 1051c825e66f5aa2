//! How much useless work one relay may cause, and how many forged events it may send. Pure: time is an argument.
//!
//! An honest relay passes on events of strangers, so events that Portico does not want are not its fault: the
//! time that they take is rationed, and Portico does not read a relay beyond its ration. A genuine event is
//! charged to its author, and not here. A forged event, or one that Portico did not subscribe to, is the
//! relay's own doing, because relays verify the events that they pass on: a relay that keeps sending such
//! events is hostile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::health::Origin;
use super::shares::Shares;

/// This much of a share may be used in advance: a short burst of unwanted events delays nothing.
pub(super) const BURST: Duration = Duration::from_secs(1);

/// Lies are forgotten at this rate …
const FORGIVEN_EVERY: Duration = Duration::from_millis(100);

/// … and this many at a time make a relay hostile.
const LIES: u32 = 1000;

/// A kind of input with a roughly known cost, which is not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waste {
    /// A short frame other than an event.
    Useless,
    /// A request to log in (NIP-42); answering it takes a signature.
    Login,
}

impl Waste {
    pub(super) const fn cost(self) -> Duration {
        match self {
            Self::Useless => Duration::from_micros(20),
            Self::Login => Duration::from_millis(1),
        }
    }
}

/// The accounts of one relay.
#[derive(Debug)]
pub(super) struct Budget {
    shares: Arc<Shares>,
    origin: Origin,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    time: Account,
    lies: Account,
}

/// The used amount, as the moment when the debt is paid.
#[derive(Debug, Default)]
pub(super) struct Account {
    settled_at: Option<Instant>,
}

impl Account {
    /// Charges `worth`; returns how far the account is beyond `allowance` then.
    fn take(&mut self, worth: Duration, allowance: Duration, now: Instant) -> Option<Duration> {
        let settled_at = self.settled_at.unwrap_or(now).max(now) + worth;
        self.settled_at = Some(settled_at);
        (settled_at - now).checked_sub(allowance).filter(|beyond| !beyond.is_zero())
    }

    /// Charges `worth` of time. The caller may be unable to wait, but the debt does not grow beyond the
    /// longest wait.
    pub(super) fn spend(&mut self, worth: Duration, now: Instant) {
        if self.take(worth, BURST * 2, now).is_some() {
            self.settled_at = Some(now + BURST * 2);
        }
    }

    /// Until when nothing more should be charged, if the account is overdrawn.
    pub(super) fn rest_until(&self, now: Instant) -> Option<Instant> {
        let until = self.settled_at?.checked_sub(BURST)?;
        (until > now).then_some(until)
    }
}

impl Budget {
    /// For a relay of this origin.
    pub(super) fn new(shares: Arc<Shares>, origin: Origin) -> Self {
        Self { shares, origin, accounts: Mutex::default() }
    }

    /// Input of this relay took this much processor time and was useless.
    pub(super) fn spend(&self, cost: Duration, now: Instant) {
        let worth = cost * self.shares.inverse_of_core(self.origin);
        self.accounts().time.spend(worth, now);
    }

    /// The relay lied. Returns `true` if this makes it hostile. The count starts again at once: the caller
    /// decides what follows.
    #[must_use]
    pub(super) fn lied(&self, now: Instant) -> bool {
        let mut accounts = self.accounts();
        let hostile = accounts.lies.take(FORGIVEN_EVERY, FORGIVEN_EVERY * LIES, now).is_some();
        if hostile {
            accounts.lies.settled_at = None;
        }
        hostile
    }

    /// Until when Portico should not read this relay, if it has used up its share.
    pub(super) fn rest_until(&self, now: Instant) -> Option<Instant> {
        self.accounts().time.rest_until(now)
    }

    fn accounts(&self) -> std::sync::MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(origin: Origin) -> Budget {
        Budget::new(Arc::new(Shares::new(2, 50)), origin)
    }

    /// How much processor time frames of this cost get in this many seconds, with a reader that rests when it
    /// should.
    fn in_seconds(secs: u64, cost: Duration, origin: Origin) -> Duration {
        let (budget, start) = (budget(origin), Instant::now());
        let (mut now, mut taken) = (start, Duration::ZERO);
        while now < start + Duration::from_secs(secs) {
            budget.spend(cost, now);
            taken += cost;
            now = budget.rest_until(now).unwrap_or(now);
        }
        taken
    }

    #[test]
    fn fifty_relays_that_strangers_name_cost_no_more_than_one_of_the_operators() {
        let taken = |origin| in_seconds(9, Duration::from_micros(10), origin);
        assert!(taken(Origin::Preferred) * 50 <= taken(Origin::Operator) + Duration::from_millis(1));
    }

    proptest! {
        #[test]
        fn a_relay_that_floods_gets_a_quarter_of_one_core_and_a_second_of_that_in_advance(
            micros in 1_u64..5_000
        ) {
            let cost = Duration::from_micros(micros);
            let taken = in_seconds(9, cost, Origin::Operator);
            prop_assert!(taken.abs_diff(Duration::from_millis(2500)) <= cost * 2, "{taken:?}");
        }
    }

    #[test]
    fn a_thousand_lies_at_a_time_make_a_relay_hostile_and_one_now_and_then_is_forgiven_for_ever() {
        let (now, budget) = (Instant::now(), budget(Origin::Operator));
        assert_eq!((0..5000).filter(|_| budget.lied(now)).count(), 4);
        let later = now + Duration::from_secs(1000);
        assert!(!(0..1_000_000).any(|n| budget.lied(later + FORGIVEN_EVERY * n)));
    }

    #[test]
    fn time_that_was_taken_is_no_lie() {
        let (now, budget) = (Instant::now(), budget(Origin::Operator));
        (0..1_000_000).for_each(|_| budget.spend(Waste::Useless.cost(), now));
        assert!(!budget.lied(now));
    }

    #[test]
    fn a_debt_of_those_who_cannot_wait_is_waited_for_no_longer_than_a_second() {
        let (budget, now) = (budget(Origin::Operator), Instant::now());
        (0..1_000_000).for_each(|_| budget.spend(Waste::Login.cost(), now));
        assert_eq!(budget.rest_until(now), Some(now + BURST));
        assert_eq!(budget.rest_until(now + BURST), None);
    }
}
