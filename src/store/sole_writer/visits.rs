//! How often one wallet logged in and renewed its token within the window.

use std::collections::VecDeque;
use std::time::Duration;

use dashmap::DashMap;

use crate::clock::Timestamp;
use crate::store::{Rate, Visit};

/// By what was done, and the provider and id of the wallet.
#[derive(Debug, Default)]
pub(super) struct Visits(DashMap<(Visit, String, String), Came>);

#[derive(Debug, Default)]
struct Came {
    /// The oldest first.
    times: VecDeque<Timestamp>,
    /// The window of the last claim.
    window: Duration,
}

impl Visits {
    /// Counts a visit, if there is room for one more. The error is how long until there is.
    pub(super) fn claim(
        &self,
        visit: Visit,
        (provider, wallet_id): (&str, &str),
        now: Timestamp,
        rate: Rate,
    ) -> Result<(), Duration> {
        let key = (visit, provider.to_owned(), wallet_id.to_owned());
        let mut came = self.0.entry(key).or_default();
        let came = &mut *came;
        came.window = rate.window;
        // Who came while the clock was ahead is not to wait until it is there again.
        came.times.iter_mut().for_each(|time| *time = (*time).min(now));
        let start = now.minus(rate.window);
        while came.times.front().is_some_and(|first| *first <= start) {
            came.times.pop_front();
        }
        if came.times.len() >= rate.most {
            let oldest = came.times.front().copied().unwrap_or(now);
            return Err(oldest.plus(rate.window).since(now));
        }
        came.times.push_back(now);
        Ok(())
    }

    /// Forgets wallets that did not come lately.
    pub(super) fn tidy(&self, now: Timestamp) {
        self.0.retain(|_, came| came.times.back().is_some_and(|last| *last > now.minus(came.window)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_that_did_not_come_lately_take_no_room() {
        let visits = Visits::default();
        let at = Timestamp::from_secs;
        let rate = Rate { most: 1, window: Duration::from_secs(60) };
        visits.claim(Visit::Login, ("portal", "a"), at(1_000), rate).unwrap();
        visits.claim(Visit::Login, ("portal", "b"), at(1_030), rate).unwrap();
        visits.tidy(at(1_060));
        assert_eq!(visits.0.len(), 1);
        assert!(visits.claim(Visit::Login, ("portal", "b"), at(1_060), rate).is_err());
    }
}
