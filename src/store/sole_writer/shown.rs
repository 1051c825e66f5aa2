//! Remembers signed requests that were shown, for as long as they could be shown again.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::{Novelty, ShownRequest};

/// How many requests are remembered at the same time.
const MOST: usize = 100_000;

/// The requests that were shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    ids: HashSet<[u8; 32]>,
    /// By the time at which they are dropped: the time at which they were signed.
    until: BTreeSet<(Timestamp, [u8; 32], Timestamp)>,
    /// Requests signed up to this time may have been dropped, so they are refused even if the clock goes back.
    forgotten: Timestamp,
}

impl Shown {
    /// Remembers a request for this long. Forgets requests that are older by the settled time.
    pub(super) fn note(
        &mut self,
        shown: &ShownRequest,
        now: Timestamp,
        settled: Timestamp,
        keep: Duration,
    ) -> Novelty {
        let ShownRequest { id, signed_at } = *shown;
        self.forget(settled);
        if self.ids.contains(&id) {
            return Novelty::Known;
        }
        if self.ids.len() >= MOST {
            // The clock may be wrong; then what was signed up to here is refused when it is right again.
            self.forget(now);
        }
        if signed_at <= self.forgotten {
            return Novelty::Known;
        }
        if self.ids.len() >= MOST {
            return Novelty::NoRoom;
        }
        self.ids.insert(id);
        self.until.insert((now.plus(keep), id, signed_at));
        Novelty::New
    }

    /// Drops the requests that had to be kept until `now` at most.
    fn forget(&mut self, now: Timestamp) {
        while let Some((until, _, _)) = self.until.first()
            && *until <= now
        {
            let Some((_, id, signed_at)) = self.until.pop_first() else { return };
            self.ids.remove(&id);
            self.forgotten = self.forgotten.max(signed_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(121);
    const START: u64 = 1_800_000_000;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(START + secs)
    }

    /// Shown when it was signed, by a clock that nobody set.
    fn note(seen: &mut Shown, id: u8, secs: u64) -> Novelty {
        seen.note(&request([id; 32], secs), at(secs), at(secs), KEEP)
    }

    fn request(id: [u8; 32], secs: u64) -> ShownRequest {
        ShownRequest { id, signed_at: at(secs) }
    }

    #[test]
    fn an_event_is_new_once_and_is_not_believed_again_once_it_is_forgotten() {
        let mut seen = Shown::default();
        assert_eq!(note(&mut seen, 1, 0), Novelty::New);
        assert_eq!(seen.note(&request([1; 32], 0), at(120), at(120), KEEP), Novelty::Known);
        assert_eq!(note(&mut seen, 2, 120), Novelty::New);
        assert_eq!(note(&mut seen, 3, 121), Novelty::New);
        assert_eq!((seen.ids.len(), seen.forgotten), (2, at(0)), "nothing is kept for ever");
        assert_eq!(
            seen.note(&request([1; 32], 0), at(0), at(0), KEEP),
            Novelty::Known,
            "the clock went back"
        );
    }

    #[test]
    fn a_clock_that_was_ahead_for_a_while_makes_nobody_wait_for_that_time() {
        let mut seen = Shown::default();
        let hour = 3600;
        assert_eq!(note(&mut seen, 1, 0), Novelty::New);
        assert_eq!(seen.note(&request([2; 32], hour), at(hour), at(1), KEEP), Novelty::New);
        assert_eq!(seen.note(&request([1; 32], 0), at(2), at(2), KEEP), Novelty::Known);
        assert_eq!(note(&mut seen, 3, 3), Novelty::New);
        assert_eq!(seen.note(&request([2; 32], hour), at(hour), at(4), KEEP), Novelty::Known);
    }

    #[test]
    fn a_flood_makes_nothing_be_forgotten_too_early() {
        let mut seen = Shown::default();
        let id = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_be_bytes());
            id
        };
        let mut note = |n: usize, signed: u64, now: u64, settled: u64| {
            seen.note(&request(id(n), signed), at(now), at(settled), KEEP)
        };
        for n in 0..MOST {
            assert_eq!(note(n, 0, 0, 0), Novelty::New);
        }
        assert_eq!(note(MOST, 1, 1, 1), Novelty::NoRoom);
        assert_eq!(note(0, 0, 1, 1), Novelty::Known);
        assert_eq!(note(MOST, 200, 200, 2), Novelty::New, "by a clock that may be wrong there is room");
        assert_eq!(note(0, 0, 3, 3), Novelty::Known, "and what was used stays so");
    }
}
