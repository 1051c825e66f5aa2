//! How much of the processor all strangers together may take. Pure: time is an argument.
//!
//! Those who are waited for pass it. All others share three quarters of the cores, so that the web app on the
//! same machine has some left: an attacker with any number of keys gets no more. Those of them who have sent
//! many events for nothing share a quarter of one core.

use std::time::Duration;

use tokio::time::Instant;

use super::authors::Level;
use super::budget::Account;

/// The part of all cores that strangers may take.
const PART: (u32, u32) = (3, 4);

/// The inverse of the part of one core that authors with many events share.
const MANY: u32 = 4;

/// The accounts of all strangers.
#[derive(Debug)]
pub(super) struct Ration {
    cores: u32,
    all: Account,
    many: Account,
}

impl Ration {
    /// On a machine of so many cores.
    pub(super) fn new(cores: usize) -> Self {
        let cores = u32::try_from(cores).unwrap_or(u32::MAX).clamp(1, 1 << 16);
        Self { cores, all: Account::default(), many: Account::default() }
    }

    /// A frame of this level took so much of a processor.
    pub(super) fn spend(&mut self, cost: Duration, level: Level, now: Instant) {
        self.all.spend(cost * PART.1 / (PART.0 * self.cores), now);
        if level == Level::MANY {
            self.many.spend(cost * MANY, now);
        }
    }

    /// Up to which level frames may be looked at now, and when that may change if it is not the last.
    pub(super) fn open_up_to(&self, now: Instant) -> (Level, Option<Instant>) {
        match (self.all.rest_until(now), self.many.rest_until(now)) {
            (Some(until), _) => (Level::WAITED_FOR, Some(until)),
            (None, Some(until)) => (Level::FEW, Some(until)),
            (None, None) => (Level::MANY, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Duration = Duration::from_micros(100);

    /// How much processor time strangers get in nine seconds, if they have no end of events of this level.
    fn in_nine_seconds(cores: usize, level: Level) -> Duration {
        let (mut ration, start) = (Ration::new(cores), Instant::now());
        let (mut now, mut taken) = (start, Duration::ZERO);
        while now < start + Duration::from_secs(9) {
            let (open, again) = ration.open_up_to(now);
            if level <= open {
                ration.spend(EVENT, level, now);
                taken += EVENT;
            } else {
                now = again.unwrap();
            }
        }
        taken
    }

    #[test]
    fn strangers_get_three_quarters_of_the_cores_and_a_second_of_that_in_advance() {
        for (cores, expected) in [(1, 7500), (2, 15_000), (8, 60_000)] {
            let taken = in_nine_seconds(cores, Level::FEW);
            let off = taken.abs_diff(Duration::from_millis(expected));
            assert!(off <= Duration::from_millis(expected) / 1000, "{cores}: {taken:?}");
        }
    }

    #[test]
    fn authors_with_many_events_share_a_quarter_of_one_core_however_many_cores_there_are() {
        for cores in [1, 2, 8] {
            let taken = in_nine_seconds(cores, Level::MANY);
            assert!(taken.abs_diff(Duration::from_millis(2500)) <= EVENT * 2, "{cores}: {taken:?}");
        }
    }

    #[test]
    fn authors_with_many_events_take_nothing_from_those_with_few() {
        let (mut ration, now) = (Ration::new(2), Instant::now());
        while ration.open_up_to(now).0 == Level::MANY {
            ration.spend(EVENT, Level::MANY, now);
        }
        assert_eq!(ration.open_up_to(now).0, Level::FEW);
    }

    #[test]
    fn those_who_are_waited_for_pass_it() {
        let (mut ration, now) = (Ration::new(1), Instant::now());
        (0..1_000_000).for_each(|_| ration.spend(EVENT, Level::FEW, now));
        let (open, again) = ration.open_up_to(now);
        assert_eq!(open, Level::WAITED_FOR);
        assert!(again.unwrap() <= now + Duration::from_secs(1), "and the others wait a second at most");
    }
}
