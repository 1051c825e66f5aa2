//! How much processor time all strangers together may take. Pure: time is an argument. Senders that Portico
//! waits for are not limited. All others share three quarters of the cores, so the web app on the same
//! machine keeps the rest, however many keys an attacker has. Senders of many useless events share half of
//! the cores, or a quarter of one core while cores are short.

use std::time::Duration;

use tokio::time::Instant;

use super::authors::Level;
use super::budget::Account;

/// The part of all cores that strangers may use.
const PART: (u32, u32) = (3, 4);

/// The inverse of the part of all cores that authors of many useless events share …
const MANY: u32 = 2;

/// … and of one core, while cores are short.
const MANY_IF_SHORT: u32 = 4;

/// Cores are short if a thread with work waits for a core for more than this part of the time.
const IN_LINE: (u32, u32) = (1, 10);

/// An observation of the cores is valid for this long.
const SEEN_FOR: Duration = Duration::from_secs(1);

/// The accounts of all strangers.
#[derive(Debug)]
pub(super) struct Ration {
    cores: u32,
    all: Account,
    many: Account,
    many_if_short: Account,
    /// When it was last seen that cores are free, and that they are short.
    free: Option<Instant>,
    short: Option<Instant>,
}

impl Ration {
    /// For a machine with this many cores.
    pub(super) fn new(cores: usize) -> Self {
        let cores = u32::try_from(cores).unwrap_or(u32::MAX).clamp(1, 1 << 16);
        let [all, many, many_if_short] = Default::default();
        Self { cores, all, many, many_if_short, free: None, short: None }
    }

    /// A frame of this level took this much processor time.
    pub(super) fn spend(&mut self, cost: Duration, level: Level, now: Instant) {
        self.all.spend(cost * PART.1 / (PART.0 * self.cores), now);
        if level == Level::MANY {
            self.many.spend(cost * MANY / self.cores, now);
            self.many_if_short.spend(cost * MANY_IF_SHORT, now);
        }
    }

    /// A thread waited this long for a core, out of this time.
    pub(super) fn was_in_line(&mut self, in_line: Duration, of: Duration, now: Instant) {
        let seen = if in_line * IN_LINE.1 > of * IN_LINE.0 { &mut self.short } else { &mut self.free };
        *seen = Some(now);
    }

    /// Whether cores are short, according to recent observations.
    fn is_short(&self, now: Instant) -> bool {
        let lately = |seen: Option<Instant>| seen.is_some_and(|seen| now < seen + SEEN_FOR);
        lately(self.short) || !lately(self.free)
    }

    /// The highest level of frames that may be handled now, and when that may change unless it is the last
    /// level.
    pub(super) fn open_up_to(&self, now: Instant) -> (Level, Option<Instant>) {
        let many = if self.is_short(now) { &self.many_if_short } else { &self.many };
        match (self.all.rest_until(now), many.rest_until(now)) {
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

    const SECOND: Duration = Duration::from_secs(1);

    /// How much processor time strangers get in nine seconds if they never run out of events of this level,
    /// and threads wait for a core for this part of each second.
    fn in_nine_seconds(cores: usize, level: Level, in_line: Option<Duration>) -> Duration {
        let (mut ration, start) = (Ration::new(cores), Instant::now());
        let (mut now, mut taken) = (start, Duration::ZERO);
        while now < start + Duration::from_secs(9) {
            if let Some(in_line) = in_line {
                ration.was_in_line(in_line, SECOND, now);
            }
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
            let taken = in_nine_seconds(cores, Level::FEW, Some(Duration::ZERO));
            assert_eq!(taken, in_nine_seconds(cores, Level::FEW, None));
            let off = taken.abs_diff(Duration::from_millis(expected));
            assert!(off <= Duration::from_millis(expected) / 1000, "{cores}: {taken:?}");
        }
    }

    #[test]
    fn while_cores_are_short_or_nothing_is_known_authors_with_many_events_share_a_quarter_of_one_core() {
        for (cores, in_line) in [(1, Some(SECOND / 9)), (2, Some(SECOND)), (8, None)] {
            let taken = in_nine_seconds(cores, Level::MANY, in_line);
            assert!(taken.abs_diff(Duration::from_millis(2500)) <= EVENT * 2, "{cores}: {taken:?}");
        }
    }

    #[test]
    fn while_cores_are_free_authors_with_many_events_share_half_of_them() {
        for (cores, expected) in [(1, 5_000), (2, 10_000), (8, 40_000)] {
            let taken = in_nine_seconds(cores, Level::MANY, Some(SECOND / 11));
            let off = taken.abs_diff(Duration::from_millis(expected));
            assert!(off <= Duration::from_millis(expected) / 1000, "{cores}: {taken:?}");
        }
    }

    #[test]
    fn one_thread_in_line_counts_although_others_are_not_and_both_are_forgotten_after_a_second() {
        let (mut ration, now) = (Ration::new(2), Instant::now());
        ration.was_in_line(SECOND, SECOND, now);
        ration.was_in_line(Duration::ZERO, SECOND, now + SECOND / 2);
        assert!(ration.is_short(now + SECOND / 2));
        assert!(!ration.is_short(now + SECOND));
        assert!(ration.is_short(now + SECOND * 2), "nobody has looked");
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
