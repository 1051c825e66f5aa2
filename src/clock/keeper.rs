//! The settled time: a clock that a wrong wall clock cannot move ahead.
//!
//! A wall clock can be set forward or back, while the daemon runs or is stopped. Data that is deleted after its expiry
//! (revocations, replay records, history) is checked with [`Timekeeper::settled`], never with the clock alone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{SharedClock, Timestamp};

/// How far the clock may move, beyond the time that passed, before that counts as a jump.
pub const JUMP: Duration = Duration::from_secs(120);

/// How long a daemon may be stopped, or not read the clock, before it stops trusting the clock.
const LONGEST_ABSENCE: Duration = Duration::from_secs(3600);

/// How long the daemon must run without a jump before it trusts the clock again.
pub const SETTLES_AFTER: Duration = Duration::from_secs(6 * 3600);

/// The most time between two readings that counts as running.
const LONGEST_LOOK: Duration = Duration::from_secs(120);

/// The state that survives restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSeen {
    /// The latest time that the clock showed since it last went back.
    pub highest: Timestamp,
    /// The settled time: the wall clock without jumps that may be wrong.
    pub settled: Timestamp,
    /// How long the daemon has run since the last jump, including earlier processes.
    pub steady_for: Duration,
}

/// A jump: the clock moved more or less than the time that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// The clock moved ahead by this.
    Ahead(Duration),
    /// The clock moved back by this.
    Back(Duration),
}

impl Jump {
    /// One word for the metrics and the log.
    pub fn direction(self) -> &'static str {
        match self {
            Self::Ahead(_) => "ahead",
            Self::Back(_) => "back",
        }
    }

    /// The size of the jump.
    pub fn distance(self) -> Duration {
        match self {
            Self::Ahead(by) | Self::Back(by) => by,
        }
    }

    /// The jump between two readings of a clock, with this time between them.
    pub fn between(before: Timestamp, after: Timestamp, passed: Duration) -> Option<Self> {
        let expected = before.plus(passed);
        let jump = if after >= expected {
            Self::Ahead(after.since(expected))
        } else {
            Self::Back(expected.since(after))
        };
        Some(jump).filter(|jump| jump.distance() > JUMP)
    }
}

/// Watches the wall clock.
#[derive(Debug)]
pub struct Timekeeper {
    clock: SharedClock,
    before: Option<Timestamp>,
    doubts: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seen: ClockSeen,
    last: (Timestamp, Instant),
}

impl Timekeeper {
    /// Continues from a saved state, if there is one. Also returns the jump since then.
    pub fn new(clock: SharedClock, before: Option<ClockSeen>) -> (Self, Option<Jump>) {
        let now = clock.now();
        let mut seen = before.unwrap_or(ClockSeen { highest: now, settled: now, steady_for: SETTLES_AFTER });
        let jump = if now.plus(JUMP) < seen.highest {
            Some(Jump::Back(seen.highest.since(now)))
        } else {
            let absent = now.since(seen.highest);
            Some(Jump::Ahead(absent)).filter(|_| absent > LONGEST_ABSENCE)
        };
        seen.follow(now, Duration::ZERO, jump);
        let state = Mutex::new(State { seen, last: (now, Instant::now()) });
        (Self { clock, before: before.map(|before| before.highest), doubts: true, state }, jump)
    }

    /// A keeper that trusts its clock. For tests of single parts.
    pub fn trusting(clock: SharedClock) -> Self {
        Self { doubts: false, ..Self::new(clock, None).0 }
    }

    /// Reads the clock. Returns the jump since the last reading.
    pub fn look(&self) -> Option<Jump> {
        let mut state = self.state();
        let (now, at) = (self.clock.now(), Instant::now());
        let passed = at - state.last.1;
        let jump = Jump::between(state.last.0, now, passed)
            // After such a long time nobody knows: the machine was paused, or its time was changed.
            .or_else(|| Some(Jump::Ahead(passed)).filter(|_| passed > LONGEST_ABSENCE));
        state.seen.follow(now, passed.min(LONGEST_LOOK), jump);
        state.last = (now, at);
        jump
    }

    /// The settled time. Anything with an earlier expiry has expired, even if the clock is wrong now.
    pub fn settled(&self) -> Timestamp {
        let now = self.clock.now();
        if self.doubts { self.state().seen.settled.min(now) } else { now }
    }

    /// Whether the clock has been steady long enough to be trusted.
    pub fn is_steady(&self) -> bool {
        self.state().seen.steady_for >= SETTLES_AFTER
    }

    /// The state to save.
    pub fn seen(&self) -> ClockSeen {
        self.state().seen
    }

    /// No earlier process saw a time after this, unless the clock went back.
    pub fn began(&self, now: Timestamp) -> Timestamp {
        /// The longest time between the last reading of a process and its end.
        const UNSEEN: Duration = Duration::from_secs(600);

        self.before.map_or(now, |highest| now.min(highest.plus(UNSEEN)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClockSeen {
    /// Records that the clock shows `now`, and that the daemon has run for this long since the last reading.
    fn follow(&mut self, now: Timestamp, ran: Duration, jump: Option<Jump>) {
        self.steady_for = if jump.is_some() { Duration::ZERO } else { self.steady_for.saturating_add(ran) };
        if self.steady_for >= SETTLES_AFTER {
            self.steady_for = SETTLES_AFTER;
            // Also if it was later before: a clock that went back and stays there is trusted again.
            self.settled = now;
            self.highest = now;
        } else {
            self.settled = self.settled.plus(ran);
            // A clock that went back is reported once, not at every start.
            let went_back = matches!(jump, Some(Jump::Back(_)));
            self.highest = if went_back { now } else { self.highest.max(now) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::clock::{Clock, TokioClock};

    const START: u64 = 1_800_000_000;
    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: u64 = 24 * 3600;

    /// A clock that moves with tokio's time and can be set.
    #[derive(Debug)]
    struct Wall {
        base: TokioClock,
        /// How far it is ahead, from a hundred years back.
        offset: AtomicU64,
    }

    const MIDDLE: u64 = 100 * 365 * DAY;

    impl Wall {
        fn new() -> Arc<Self> {
            let base = TokioClock::starting_at(Timestamp::from_secs(START));
            Arc::new(Self { base, offset: AtomicU64::new(MIDDLE) })
        }

        fn ahead(&self, secs: i64) {
            self.offset.store(MIDDLE.saturating_add_signed(secs), Ordering::SeqCst);
        }
    }

    impl Clock for Wall {
        fn now(&self) -> Timestamp {
            let offset = Duration::from_secs(self.offset.load(Ordering::SeqCst));
            self.base.now().plus(offset).minus(Duration::from_secs(MIDDLE))
        }
    }

    /// Time passes, and the clock is looked at every minute.
    async fn run(keeper: &Timekeeper, time: Duration) -> usize {
        let mut jumps = 0;
        for _ in 0..time.as_secs() / 60 {
            tokio::time::advance(Duration::from_secs(60)).await;
            jumps += usize::from(keeper.look().is_some());
        }
        jumps
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(START + secs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_nobody_sets_is_believed() {
        let wall = Wall::new();
        let keeper = Timekeeper::new(wall, None).0;
        assert_eq!(run(&keeper, HOUR).await, 0);
        assert_eq!((keeper.settled(), keeper.is_steady()), (at(3600), true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_ahead_for_a_while_lets_nothing_be_dropped_and_is_believed_when_it_stays() {
        let wall = Wall::new();
        let keeper = Timekeeper::new(wall.clone(), None).0;
        wall.ahead(8 * DAY as i64);
        assert_eq!(keeper.look(), Some(Jump::Ahead(Duration::from_secs(8 * DAY))));
        assert_eq!(run(&keeper, HOUR).await, 0, "one jump is told once");
        assert_eq!(keeper.settled(), at(3600), "only the time that passed has passed");
        wall.ahead(0);
        assert_eq!(keeper.look(), Some(Jump::Back(Duration::from_secs(8 * DAY))));
        assert_eq!((keeper.settled(), keeper.seen().highest), (at(3600), at(3600)));
        run(&keeper, SETTLES_AFTER).await;
        assert_eq!((keeper.settled(), keeper.is_steady()), (at(7 * 3600), true));
        wall.ahead(DAY as i64);
        keeper.look();
        run(&keeper, SETTLES_AFTER).await;
        assert_eq!(keeper.settled(), at(13 * 3600 + DAY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_with_the_clock_far_ahead_is_doubted_however_often_it_is_repeated() {
        let wall = Wall::new();
        let mut seen = Timekeeper::new(wall.clone(), None).0.seen();
        wall.ahead(400 * DAY as i64);
        for start in 0..3 {
            let (keeper, jump) = Timekeeper::new(wall.clone(), Some(seen));
            assert_eq!(jump.is_some(), start == 0, "start {start}");
            assert!(!keeper.is_steady());
            run(&keeper, HOUR).await;
            assert_eq!(keeper.settled(), at((start + 1) * 3600));
            seen = keeper.seen();
        }
        let (keeper, _) = Timekeeper::new(wall, Some(seen));
        run(&keeper, 3 * HOUR).await;
        assert!(keeper.is_steady(), "the hours of all runs count");
        assert_eq!(keeper.settled(), at(6 * 3600 + 400 * DAY));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ordinary_restart_raises_no_doubt() {
        let wall = Wall::new();
        let seen = Timekeeper::new(wall.clone(), None).0.seen();
        tokio::time::advance(Duration::from_secs(600)).await;
        let (keeper, jump) = Timekeeper::new(wall, Some(seen));
        assert_eq!((jump, keeper.settled(), keeper.is_steady()), (None, at(600), true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_with_the_clock_back_is_told() {
        let wall = Wall::new();
        let seen = Timekeeper::new(wall.clone(), None).0.seen();
        wall.ahead(-3600);
        let (keeper, jump) = Timekeeper::new(wall.clone(), Some(seen));
        assert_eq!(jump, Some(Jump::Back(HOUR)));
        assert_eq!(keeper.settled(), wall.now(), "and not what the clock has not reached");
        assert_eq!(keeper.began(wall.now()), wall.now());
        let (_, jump) = Timekeeper::new(wall, Some(keeper.seen()));
        assert_eq!(jump, None, "once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_stood_still_with_all_its_clocks_is_doubted_too() {
        let wall = Wall::new();
        let keeper = Timekeeper::new(wall, None).0;
        tokio::time::advance(Duration::from_secs(8 * DAY)).await;
        assert_eq!(keeper.look(), Some(Jump::Ahead(Duration::from_secs(8 * DAY))));
        assert_eq!(keeper.settled(), Timestamp::from_secs(START).plus(LONGEST_LOOK));
    }

    #[test]
    fn small_corrections_are_no_jumps() {
        let minute = Duration::from_secs(60);
        for after in [0, 60, 120, 180] {
            assert_eq!(Jump::between(at(0), at(after), minute), None, "{after}");
        }
        assert_eq!(Jump::between(at(0), at(181), minute), Some(Jump::Ahead(Duration::from_secs(121))));
        assert_eq!(Jump::between(at(100), at(39), minute), Some(Jump::Back(Duration::from_secs(121))));
    }
}
