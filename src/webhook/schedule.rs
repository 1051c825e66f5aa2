//! When to retry, and when to give up. Pure.

use std::time::Duration;

use rand::Rng;

use super::receiver::Answer;
use crate::clock::Timestamp;
use crate::config::WebhookRules;
use crate::store::{Attempt, Delivery};

/// Whether a delivery should be tried at `now`. A wait that seems longer than the longest one was scheduled
/// while the clock was ahead, so the delivery is due.
pub(super) fn is_due(next_at: Timestamp, now: Timestamp, rules: &WebhookRules) -> bool {
    next_at <= now || next_at.since(now) > rules.longest_retry.max(rules.first_retry)
}

/// The result of an attempt with this answer at `now`. The settled time decides when a delivery is given up.
pub(super) fn decide(
    delivery: &Delivery,
    answer: Answer,
    now: Timestamp,
    settled: Timestamp,
    rules: &WebhookRules,
    rng: &mut impl Rng,
) -> Attempt {
    let (error, retry_after) = match answer {
        Answer::Taken => return Attempt::Delivered,
        Answer::Unusable => return Attempt::GivenUp { error: "unreadable_event".into() },
        Answer::Failed { failure, retry_after } => (failure, retry_after),
    };
    let wait = if error.is_refusal() { rules.longest_retry } else { backoff(delivery.attempts, rules) };
    let asked = retry_after.unwrap_or_default().min(rules.longest_retry);
    let next_at = now.plus(jitter(wait, rng).max(asked));
    let give_up_at = delivery.since.plus(rules.give_up_after);
    if settled.plus(next_at.since(now)) > give_up_at {
        Attempt::GivenUp { error: error.to_string() }
    } else {
        Attempt::Again { next_at, error: error.to_string() }
    }
}

/// The wait after this many earlier failures: the first wait, twice that, four times, … up to the longest.
fn backoff(failures: u32, rules: &WebhookRules) -> Duration {
    rules.first_retry.saturating_mul(2_u32.saturating_pow(failures)).min(rules.longest_retry)
}

/// Up to a quarter less, so that deliveries that failed together do not come back together.
fn jitter(wait: Duration, rng: &mut impl Rng) -> Duration {
    wait.mul_f64(rng.gen_range(0.75..=1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::store::{DeliveryState, StreamId};
    use crate::webhook::receiver::Failure;

    const SINCE: Timestamp = Timestamp::from_secs(1_000);

    fn rules() -> WebhookRules {
        WebhookRules {
            max_concurrent: 32,
            max_waiting: 1_000_000,
            timeout: Duration::from_secs(10),
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(600),
            give_up_after: Duration::from_secs(24 * 3600),
        }
    }

    fn tried(attempts: u32) -> Delivery {
        Delivery {
            stream: StreamId::from_bytes([1; 16]),
            index: 1,
            since: SINCE,
            attempts,
            state: DeliveryState::Head(SINCE),
            last_error: None,
        }
    }

    fn failed(failure: Failure, retry_after: Option<u64>) -> Answer {
        Answer::Failed { failure, retry_after: retry_after.map(Duration::from_secs) }
    }

    /// Milliseconds to wait after this failure at `SINCE`.
    fn wait(attempts: u32, answer: Answer) -> u64 {
        let mut rng = StdRng::seed_from_u64(attempts.into());
        match decide(&tried(attempts), answer, SINCE, SINCE, &rules(), &mut rng) {
            Attempt::Again { next_at, .. } => next_at.since(SINCE).as_millis() as u64,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn waits_double_from_a_second_to_ten_minutes() {
        for (attempts, secs) in [(0, 1), (1, 2), (2, 4), (9, 512), (10, 600), (11, 600), (u32::MAX, 600)] {
            for failure in
                [Failure::Status(500), Failure::Status(408), Failure::Status(429), Failure::TimedOut]
            {
                let wait = wait(attempts, failed(failure, None));
                assert!((secs * 750..=secs * 1_000).contains(&wait), "{attempts}: {wait} ms");
            }
        }
    }

    #[test]
    fn a_refusal_is_tried_again_but_not_soon() {
        for status in [301, 400, 401, 404, 410] {
            assert!(wait(0, failed(Failure::Status(status), None)) >= 450_000, "{status}");
        }
    }

    #[test]
    fn a_receiver_that_names_a_time_is_not_asked_before_and_cannot_put_us_off_for_ever() {
        assert_eq!(wait(0, failed(Failure::Status(503), Some(60))), 60_000);
        assert_eq!(wait(0, failed(Failure::Status(429), Some(u64::MAX))), 600_000);
        assert!(wait(8, failed(Failure::Status(429), Some(1))) > 100_000, "nor make us hurry");
    }

    #[test]
    fn after_a_day_it_is_given_up() {
        let rng = || StdRng::seed_from_u64(1);
        let at = |secs| SINCE.plus(Duration::from_secs(secs));
        let answer = || failed(Failure::Status(500), None);
        let day = 24 * 3600;
        let last = decide(&tried(3), answer(), at(day - 9), at(day - 9), &rules(), &mut rng());
        assert!(matches!(last, Attempt::Again { .. }), "{last:?}");
        let over = decide(&tried(20), answer(), at(day - 9), at(day - 9), &rules(), &mut rng());
        assert_eq!(over, Attempt::GivenUp { error: "http_500".into() });
        let taken = decide(&tried(20), Answer::Taken, at(2 * day), at(2 * day), &rules(), &mut rng());
        assert_eq!(taken, Attempt::Delivered, "whenever that is");
    }

    #[test]
    fn a_clock_that_jumps_ahead_gives_nothing_up_and_one_that_comes_back_delays_nothing() {
        let ahead = SINCE.plus(Duration::from_secs(8 * 24 * 3600));
        let answer = failed(Failure::Status(500), None);
        let decided = decide(&tried(3), answer, ahead, SINCE, &rules(), &mut StdRng::seed_from_u64(1));
        let Attempt::Again { next_at, .. } = decided else { panic!("{decided:?}") };
        assert!(next_at > ahead && !is_due(next_at, ahead, &rules()));
        assert!(is_due(next_at, SINCE, &rules()), "it does not wait for eight days");
        assert!(!is_due(SINCE.plus(Duration::from_secs(600)), SINCE, &rules()), "the longest wait is one");
    }

    #[test]
    fn what_cannot_be_read_is_given_up_at_once() {
        let decided =
            decide(&tried(0), Answer::Unusable, SINCE, SINCE, &rules(), &mut StdRng::seed_from_u64(1));
        assert!(matches!(decided, Attempt::GivenUp { .. }));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_longest_and_none_leads_beyond_the_end(
            attempts: u32, status in 300_u16..600, asked: Option<u64>, elapsed in 0_u64..100_000, seed: u64,
        ) {
            let now = SINCE.plus(Duration::from_secs(elapsed));
            let answer = failed(Failure::Status(status), asked);
            let decided = decide(&tried(attempts), answer, now, now, &rules(), &mut StdRng::seed_from_u64(seed));
            if let Attempt::Again { next_at, .. } = decided {
                prop_assert!(next_at > now && next_at.since(now) <= rules().longest_retry);
                prop_assert!(next_at.since(SINCE) <= rules().give_up_after);
            }
        }
    }
}
