//! Measures the processor time that some work takes. A fixed table of costs would not hold for every machine,
//! nor for every frame that an attacker makes up.

use std::cell::Cell;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// The processor time that this thread has used so far.
///
/// On a system that does not report it, nothing is charged and nothing is rationed.
pub(super) fn taken() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Runs `work`; returns its result and the processor time that it took.
pub(super) fn measured<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = taken();
    let result = work();
    (result, taken().saturating_sub(began))
}

/// How often a thread reads how long it waits for a core, at most.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long this thread has waited for a core since the last reading, and when that was. `None`: the last
/// reading is recent, or the system does not report it.
pub(super) fn in_line() -> Option<(Duration, Duration)> {
    thread_local! {
        static LOOKED: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
    }

    let now = Instant::now();
    let last = LOOKED.get();
    if last.is_some_and(|(then, _)| now - then < LOOK_EVERY) {
        return None;
    }
    let waited = waited()?;
    LOOKED.set(Some((now, waited)));
    let (then, before) = last?;
    Some((waited.saturating_sub(before), now - then))
}

/// How long this thread has had work and no core so far (`Documentation/scheduler/sched-stats.rst`).
fn waited() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_shares_its_core_with_others_is_in_line() {
        // Each of them has a core for a quarter of the time.
        let threads = 4 * std::thread::available_parallelism().unwrap().get();
        let work = || {
            let began = Instant::now();
            in_line();
            loop {
                measured(|| (0..2_000_000_u64).fold(0, |sum, n| sum ^ std::hint::black_box(n)));
                if began.elapsed() > LOOK_EVERY * 3
                    && let Some((waited, of)) = in_line()
                {
                    return waited.as_secs_f64() / of.as_secs_f64();
                }
            }
        };
        let parts: Vec<f64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(parts.iter().any(|part| *part > 0.3), "{parts:?}");
    }

    #[test]
    fn work_takes_time_and_waiting_takes_none() {
        let (_, busy) = measured(|| (0..2_000_000_u64).fold(0, |sum, n| sum ^ std::hint::black_box(n)));
        let (_, idle) = measured(|| std::thread::park_timeout(Duration::from_millis(20)));
        assert!(busy > Duration::ZERO);
        assert!(idle < Duration::from_millis(10), "{idle:?}");
    }
}
