//! How much of a processor something took: measured, as no table of costs is true on every machine, or of
//! every frame that somebody may make up.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The processor time that this thread has taken so far.
///
/// A system that does not tell has no such time: then nothing is charged, and nothing rations.
pub(super) fn taken() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// What `work` yields, and the processor time that it took.
pub(super) fn measured<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = taken();
    let result = work();
    (result, taken().saturating_sub(began))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_and_waiting_takes_none() {
        let (_, busy) = measured(|| (0..2_000_000_u64).fold(0, |sum, n| sum ^ std::hint::black_box(n)));
        let (_, idle) = measured(|| std::thread::park_timeout(Duration::from_millis(20)));
        assert!(busy > Duration::ZERO);
        assert!(idle < Duration::from_millis(10), "{idle:?}");
    }
}
