//! What one relay may cost us for nothing, and how much it may lie. Pure: time is an argument.
//!
//! An honest relay passes on what strangers publish, so events that nobody here wants are no fault of its
//! own: the time that they take is rationed, and beyond its ration the relay waits: it is not read. What an
//! event takes that turned out genuine is on its author's account, and not here. A forgery, or what nobody
//! subscribed to, can only be the relay's doing, for relays verify what they pass on: one that keeps sending
//! such is hostile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::health::Origin;
use super::shares::Shares;

/// So much of a share may be used ahead of its time: a burst of what nobody wants delays nothing.
pub(super) const BURST: Duration = Duration::from_secs(1);

/// Lies are forgotten at this rate …
const FORGIVEN_EVERY: Duration = Duration::from_millis(100);

/// … and so many at a time make a relay hostile.
const LIES: u32 = 1000;

/// Something that a relay sent, and what it takes is not measured but known roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waste {
    /// A short frame that is no event.
    Useless,
    /// A request to log in (NIP-42), which takes a signature of ours.
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

/// What was taken, as the moment at which it will have been made good.
#[derive(Debug, Default)]
pub(super) struct Account {
    settled_at: Option<Instant>,
}

impl Account {
    /// Takes `worth`; how far beyond `allowance` the account is then.
    fn take(&mut self, worth: Duration, allowance: Duration, now: Instant) -> Option<Duration> {
        let settled_at = self.settled_at.unwrap_or(now).max(now) + worth;
        self.settled_at = Some(settled_at);
        (settled_at - now).checked_sub(allowance).filter(|beyond| !beyond.is_zero())
    }

    /// Takes `worth` of time. Whoever charges may not be able to wait, but the debt need not grow beyond what
    /// is ever waited for.
    pub(super) fn spend(&mut self, worth: Duration, now: Instant) {
        if self.take(worth, BURST * 2, now).is_some() {
            self.settled_at = Some(now + BURST * 2);
        }
    }

    /// Until when nothing more should be taken, if more was than there is.
    pub(super) fn rest_until(&self, now: Instant) -> Option<Instant> {
        let until = self.settled_at?.checked_sub(BURST)?;
        (until > now).then_some(until)
    }
}

impl Budget {
    /// For a relay that this one named.
    pub(super) fn new(shares: Arc<Shares>, origin: Origin) -> Self {
        Self { shares, origin, accounts: Mutex::default() }
    }

    /// Something of this relay took so much of a processor, and came to nothing.
    pub(super) fn spend(&self, cost: Duration, now: Instant) {
        let worth = cost * self.shares.inverse_of_core(self.origin);
        self.accounts().time.spend(worth, now);
    }

    /// The relay lied; `true`: with this it has turned hostile. It is given a new chance at once: what
    /// follows from it is up to the caller.
    #[must_use]
    pub(super) fn lied(&self, now: Instant) -> bool {
        let mut accounts = self.accounts();
        let hostile = accounts.lies.take(FORGIVEN_EVERY, FORGIVEN_EVERY * LIES, now).is_some();
        if hostile {
            accounts.lies.settled_at = None;
        }
        hostile
    }

    /// Until when nothing of this relay should be looked at, if it has used up its share.
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

    /// How much processor time frames of this cost get in so many seconds, by a reader that rests when it
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
