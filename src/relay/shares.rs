//! How much of the cores and of memory each relay may use, so that all together stay within bounds. Pure.
//!
//! The parts are fixed: a relay that uses all of its part takes nothing from another.

use std::sync::atomic::{AtomicU32, Ordering};

use super::health::Origin;

/// Bytes of event frames that wait to be verified, for all relays of the operator together …
const QUEUED: usize = 16 << 20;

/// … and the minimum for one of them.
const QUEUED_OF_ONE: usize = 4 << 20;

/// Bytes of event frames that wait, for all relays that wallets named.
const QUEUED_OF_STRANGERS: usize = 8 << 20;

/// No part is smaller than one event needs.
const LEAST: usize = 128 << 10;

/// One relay gets at most a quarter of one core.
const QUARTER: u32 = 4;

/// How the relays share.
#[derive(Debug)]
pub(super) struct Shares {
    cores: u32,
    operators: AtomicU32,
    max_preferred: u32,
}

impl Shares {
    pub(super) fn new(cores: usize, max_preferred: usize) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).clamp(1, 1 << 16);
        Self { cores: count(cores), operators: AtomicU32::new(0), max_preferred: count(max_preferred) }
    }

    /// A relay of the operator was added.
    pub(super) fn joined(&self, origin: Origin) {
        if origin == Origin::Operator {
            self.operators.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A relay of the operator was removed.
    pub(super) fn left(&self, origin: Origin) {
        if origin == Origin::Operator {
            self.operators.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The inverse of the part of one core that useless frames of one relay may use. The operator's relays
    /// together get a quarter of all cores, those of wallets together a quarter of one core.
    pub(super) fn inverse_of_core(&self, origin: Origin) -> u32 {
        match origin {
            Origin::Operator => QUARTER.max((QUARTER * self.operators()).div_ceil(self.cores)),
            Origin::Preferred => QUARTER * self.max_preferred,
        }
    }

    /// How many bytes of event frames of one relay may wait.
    pub(super) fn queued(&self, origin: Origin) -> usize {
        let (all, one, relays) = match origin {
            Origin::Operator => (QUEUED, QUEUED_OF_ONE, self.operators()),
            Origin::Preferred => (QUEUED_OF_STRANGERS, QUEUED_OF_STRANGERS, self.max_preferred),
        };
        (all / relays as usize).clamp(LEAST, one)
    }

    fn operators(&self) -> u32 {
        self.operators.load(Ordering::Relaxed).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(cores: usize, operators: usize) -> Shares {
        let shares = Shares::new(cores, 50);
        (0..operators).for_each(|_| shares.joined(Origin::Operator));
        shares
    }

    #[test]
    fn one_relay_gets_a_quarter_of_a_core_and_all_together_a_quarter_of_the_cores() {
        for (cores, operators, inverse) in
            [(1, 0, 4), (1, 1, 4), (2, 2, 4), (2, 6, 12), (8, 6, 4), (1, 64, 256)]
        {
            let shares = shares(cores, operators);
            assert_eq!(shares.inverse_of_core(Origin::Operator), inverse, "{cores} {operators}");
            assert_eq!(shares.inverse_of_core(Origin::Preferred), 200, "fifty get as much as one");
        }
    }

    #[test]
    fn a_relay_that_goes_leaves_its_part_to_the_others() {
        let shares = shares(1, 2);
        assert_eq!(shares.inverse_of_core(Origin::Operator), 8);
        shares.left(Origin::Operator);
        shares.left(Origin::Preferred);
        assert_eq!(shares.inverse_of_core(Origin::Operator), 4);
    }

    #[test]
    fn however_many_relays_there_are_what_waits_stays_within_the_bytes_for_all() {
        for operators in 1..=64 {
            let one = shares(1, operators).queued(Origin::Operator);
            assert!(one <= QUEUED_OF_ONE && one * operators <= QUEUED, "{operators}: {one}");
        }
        let strangers = shares(1, 1);
        assert!(strangers.queued(Origin::Preferred) * 50 <= QUEUED_OF_STRANGERS);
        assert_eq!(Shares::new(1, 100_000).queued(Origin::Preferred), LEAST);
    }
}
