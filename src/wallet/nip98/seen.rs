//! Events that were shown before, for as long as they could be shown again.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::clock::Timestamp;

/// Events that are remembered at the same time.
const MOST: usize = 100_000;

/// What was shown.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ids: HashSet<[u8; 32]>,
    /// In the order in which they are forgotten.
    until: VecDeque<(Timestamp, [u8; 32])>,
}

/// Whether an event is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    /// It is, and is not any more.
    New,
    /// It came before.
    Known,
    /// There is no room to remember it, and so nobody may say that it is.
    NoRoom,
}

impl Seen {
    /// Remembers an event for this long.
    pub(super) fn note(&mut self, id: [u8; 32], now: Timestamp, keep: Duration) -> Novelty {
        while let Some((until, old)) = self.until.front() {
            if *until > now {
                break;
            }
            self.ids.remove(old);
            self.until.pop_front();
        }
        if self.ids.contains(&id) {
            return Novelty::Known;
        }
        if self.ids.len() >= MOST {
            return Novelty::NoRoom;
        }
        self.ids.insert(id);
        self.until.push_back((now.plus(keep), id));
        Novelty::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(120);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn an_event_is_new_once_for_as_long_as_it_is_kept() {
        let mut seen = Seen::default();
        assert_eq!(seen.note([1; 32], at(0), KEEP), Novelty::New);
        assert_eq!(seen.note([1; 32], at(119), KEEP), Novelty::Known);
        assert_eq!(seen.note([2; 32], at(119), KEEP), Novelty::New);
        assert_eq!(seen.note([1; 32], at(120), KEEP), Novelty::New);
        assert_eq!(seen.note([2; 32], at(120), KEEP), Novelty::Known);
    }

    #[test]
    fn a_flood_makes_nothing_be_forgotten_too_early() {
        let mut seen = Seen::default();
        let id = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_be_bytes());
            id
        };
        for n in 0..MOST {
            assert_eq!(seen.note(id(n), at(0), KEEP), Novelty::New);
        }
        assert_eq!(seen.note(id(MOST), at(1), KEEP), Novelty::NoRoom);
        assert_eq!(seen.note(id(0), at(1), KEEP), Novelty::Known);
        assert_eq!(seen.note(id(MOST), at(120), KEEP), Novelty::New);
    }
}
