//! How long to wait before the next attempt. Pure.

use std::time::Duration;

use rand::Rng;

/// The longest wait.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// The wait after `failures` failures in a row: nothing, `initial`, twice that, four times, … up to a minute.
pub(super) fn delay(initial: Duration, failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => initial.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST),
    }
}

/// `delay` plus or minus up to a quarter, so that clients that failed together do not retry together.
pub(super) fn jitter(delay: Duration, rng: &mut impl Rng) -> Duration {
    delay.mul_f64(rng.gen_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn waits_double_up_to_a_minute() {
        let seconds = |failures| delay(Duration::from_secs(2), failures).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, u32::MAX].map(seconds), [0, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn jitter_stays_within_a_quarter() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(7);
        for _ in 0..1000 {
            let wait = jitter(Duration::from_secs(4), &mut rng);
            assert!((Duration::from_secs(3)..Duration::from_secs(5)).contains(&wait));
        }
    }
}
