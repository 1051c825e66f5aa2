//! What one relay may cost us for nothing, and how much it may lie. Pure: time is an argument.
//!
//! An honest relay passes on what strangers publish, so events that nobody here wants are no fault of its own:
//! the time that they take is rationed, and beyond its ration the relay waits (its queue fills, the rest is
//! dropped unread). A forgery, or what nobody subscribed to, can only be the relay's doing, for relays verify
//! what they pass on: one that keeps sending such is hostile.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::health::Origin;

/// The share of one core that frames of one relay may take which come to nothing, as its inverse: of a relay of
/// the operator's …
const SHARE: u32 = 4;

/// … and of one that a stranger named. There are fifty of them, or more: together they get as much as one of
/// the operator's.
const SHARE_OF_STRANGERS: u32 = 200;

/// So much of that share may be used ahead of its time: a burst of what nobody wants delays nothing.
const BURST: Duration = Duration::from_secs(1);

/// Lies are forgotten at this rate …
const FORGIVEN_EVERY: Duration = Duration::from_millis(100);

/// … and so many at a time make a relay hostile.
const LIES: u32 = 1000;

/// Something that a relay sent and that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waste {
    /// A frame that was read and is of no use to anybody here, or was here before.
    Useless,
    /// A frame that is malformed, or that nobody asked for.
    Unasked,
    /// An event that was verified, and was forged.
    Forged,
    /// An event that was verified and opened, and was nothing to us.
    Stranger,
    /// A request to log in (NIP-42), which takes a signature of ours.
    Login,
}

impl Waste {
    /// What it takes of a processor, roughly: it is the order of magnitude that matters.
    pub(super) const fn cost(self) -> Duration {
        match self {
            Self::Useless | Self::Unasked => Duration::from_micros(10),
            Self::Forged => Duration::from_micros(50),
            Self::Stranger => Duration::from_micros(100),
            Self::Login => Duration::from_millis(1),
        }
    }

    const fn is_lie(self) -> bool {
        matches!(self, Self::Unasked | Self::Forged)
    }
}

/// The accounts of one relay.
#[derive(Debug)]
pub(super) struct Budget {
    /// The inverse of it.
    share: u32,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    time: Account,
    lies: Account,
}

/// What was taken, as the moment at which it will have been made good.
#[derive(Debug, Default)]
struct Account {
    settled_at: Option<Instant>,
}

impl Account {
    /// Takes `worth`; how far beyond `allowance` the account is then.
    fn take(&mut self, worth: Duration, allowance: Duration, now: Instant) -> Option<Duration> {
        let settled_at = self.settled_at.unwrap_or(now).max(now) + worth;
        self.settled_at = Some(settled_at);
        (settled_at - now).checked_sub(allowance).filter(|beyond| !beyond.is_zero())
    }
}

impl Budget {
    /// For a relay that this one named.
    pub(super) fn of(origin: Origin) -> Self {
        let share = if origin == Origin::Preferred { SHARE_OF_STRANGERS } else { SHARE };
        Self { share, accounts: Mutex::default() }
    }

    /// Writes down a waste; `true`: with this the relay has turned hostile. It is given a new chance at once:
    /// what follows from it is up to the caller.
    #[must_use]
    pub(super) fn charge(&self, waste: Waste, now: Instant) -> bool {
        let mut accounts = self.accounts();
        // Whoever charges may not be able to wait, but the debt need not grow beyond what is ever waited for.
        if accounts.time.take(waste.cost() * self.share, BURST * 2, now).is_some() {
            accounts.time.settled_at = Some(now + BURST * 2);
        }
        let hostile =
            waste.is_lie() && accounts.lies.take(FORGIVEN_EVERY, FORGIVEN_EVERY * LIES, now).is_some();
        if hostile {
            accounts.lies.settled_at = None;
        }
        hostile
    }

    /// Until when nothing of this relay should be looked at, if it has used up its share.
    pub(super) fn rest_until(&self, now: Instant) -> Option<Instant> {
        let until = self.accounts().time.settled_at?.checked_sub(BURST)?;
        (until > now).then_some(until)
    }

    fn accounts(&self) -> std::sync::MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these are looked at in so many seconds, by a reader that rests when it should, and how
    /// often the relay is found hostile.
    fn in_seconds(secs: u64, waste: Waste, origin: Origin) -> (u32, u32) {
        let (budget, start) = (Budget::of(origin), Instant::now());
        let (mut now, mut looked_at, mut hostile) = (start, 0, 0);
        while now < start + Duration::from_secs(secs) {
            hostile += u32::from(budget.charge(waste, now));
            looked_at += 1;
            now = budget.rest_until(now).unwrap_or(now);
        }
        (looked_at, hostile)
    }

    #[test]
    fn a_relay_that_floods_gets_a_quarter_of_one_core_and_a_second_of_that_in_advance() {
        for waste in [Waste::Useless, Waste::Unasked, Waste::Forged, Waste::Stranger, Waste::Login] {
            let (looked_at, _) = in_seconds(9, waste, Origin::Operator);
            let time = waste.cost() * looked_at;
            assert!(
                time.abs_diff(Duration::from_millis(2500)) < Duration::from_millis(5),
                "{waste:?}: {time:?}"
            );
        }
    }

    #[test]
    fn fifty_relays_that_strangers_name_cost_no_more_than_one_of_the_operators() {
        let looked_at = |origin| in_seconds(9, Waste::Useless, origin).0;
        assert!((looked_at(Origin::Preferred) * 50).abs_diff(looked_at(Origin::Operator)) <= 50);
    }

    #[test]
    fn what_strangers_publish_is_no_fault_of_the_relay_but_forgeries_are() {
        assert_eq!(in_seconds(60, Waste::Useless, Origin::Operator).1, 0);
        assert_eq!(in_seconds(60, Waste::Stranger, Origin::Operator).1, 0);
        assert!(in_seconds(1, Waste::Forged, Origin::Operator).1 > 0);
        assert!(in_seconds(1, Waste::Unasked, Origin::Operator).1 > 0);
    }

    #[test]
    fn a_lie_now_and_then_is_forgiven_for_ever() {
        let (budget, start) = (Budget::of(Origin::Operator), Instant::now());
        assert!(!(0..1_000_000).any(|n| budget.charge(Waste::Forged, start + FORGIVEN_EVERY * n)));
    }

    #[test]
    fn a_debt_of_those_who_cannot_wait_is_waited_for_no_longer_than_a_second() {
        let (budget, now) = (Budget::of(Origin::Operator), Instant::now());
        assert!(!(0..1_000_000).any(|_| budget.charge(Waste::Login, now)));
        assert_eq!(budget.rest_until(now), Some(now + BURST));
        assert_eq!(budget.rest_until(now + BURST), None);
    }
}
