//! How many useless events of each author were verified: authors with the fewest go first. Pure: time is an
//! argument.
//!
//! An event is charged to its author after its signature is verified, so nobody can charge somebody else's
//! account. If the event is useful, the charge is returned. An event is looked up by the author that it
//! claims.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use nostr_sdk::prelude::PublicKey;
use tokio::time::Instant;

/// One event is forgotten after this time.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10);

/// The largest debt of an author, in events.
const MOST: u32 = 64;

/// Each author has a cell in this many rows, and the smallest of them counts …
const ROWS: usize = 4;

/// … and each row has this many cells: one MiB in total, however many authors there are.
const CELLS: usize = 1 << 15;

/// The accounts, as a count-min sketch. An author shares cells with others, chosen by a secret hash. So an
/// account may look larger than it is. It looks smaller only by amounts that were returned to others.
pub(super) struct Authors<S = RandomState> {
    hash: S,
    began: Instant,
    /// The moments when the debts will be forgotten, in milliseconds since the beginning.
    cells: Box<[u64]>,
}

/// The order in which frames are handled: lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(u8);

impl Level {
    /// The number of levels.
    pub(super) const COUNT: usize = 8;

    /// Portico waits for this author.
    pub(super) const WAITED_FOR: Self = Self(0);

    /// The last level of authors with few events.
    pub(super) const FEW: Self = Self(Self::MANY.0 - 1);

    /// Authors with many events.
    pub(super) const MANY: Self = Self(7);

    /// After this many wrong answers, a sender that Portico waits for is treated like any other.
    const PATIENCE: Self = Self(4);

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// All levels, the first one first.
    pub(super) fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..=Self::MANY.0).map(Self)
    }

    /// The level of an author with this many events: 0, 1, up to 3, 7, 15, 31, and more.
    fn of(events: u64) -> Self {
        let bits = u8::try_from(u64::BITS - events.leading_zeros()).unwrap_or(u8::MAX);
        Self(bits.saturating_add(1).min(Self::MANY.0))
    }
}

impl Authors {
    pub(super) fn new(now: Instant) -> Self {
        Self::hashed(RandomState::new(), now)
    }
}

impl<S: BuildHasher> Authors<S> {
    fn hashed(hash: S, now: Instant) -> Self {
        Self { hash, began: now, cells: vec![0; ROWS * CELLS].into() }
    }

    /// This many events of this author were verified.
    pub(super) fn charge(&mut self, author: &PublicKey, events: u32, now: Instant) {
        let (now, worth) = (self.millis(now), millis(FORGIVEN_AFTER) * u64::from(events));
        let most = now + millis(FORGIVEN_AFTER) * u64::from(MOST);
        let settled_at = (self.settled_at(author).max(now) + worth).min(most);
        // Only the cells that say least: the others are too high already.
        for cell in self.places(author) {
            self.cells[cell] = self.cells[cell].max(settled_at);
        }
    }

    /// One event of this author was useful: it is not charged.
    pub(super) fn give_back(&mut self, author: &PublicKey) {
        for cell in self.places(author) {
            self.cells[cell] = self.cells[cell].saturating_sub(millis(FORGIVEN_AFTER));
        }
    }

    /// The level of a frame that claims this author.
    pub(super) fn level(&self, author: &PublicKey, waited_for: bool, now: Instant) -> Level {
        let owed = self.settled_at(author).saturating_sub(self.millis(now));
        let level = Level::of(owed.div_ceil(millis(FORGIVEN_AFTER)));
        if waited_for && level <= Level::PATIENCE { Level::WAITED_FOR } else { level }
    }

    fn settled_at(&self, author: &PublicKey) -> u64 {
        self.places(author).map(|cell| self.cells[cell]).into_iter().min().unwrap_or_default()
    }

    fn places(&self, author: &PublicKey) -> [usize; ROWS] {
        let hash = self.hash.hash_one(author.as_bytes());
        // Sixteen bits for each row.
        std::array::from_fn(|row| row * CELLS + (hash >> (16 * row)) as usize % CELLS)
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.began))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, DefaultHasher};

    use proptest::prelude::*;

    use super::*;

    type Fixed = BuildHasherDefault<DefaultHasher>;

    fn authors() -> (Authors<Fixed>, Instant) {
        let now = Instant::now();
        (Authors::hashed(Fixed::default(), now), now)
    }

    fn key(n: u32) -> PublicKey {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        PublicKey::from_byte_array(bytes)
    }

    #[test]
    fn whoever_has_had_more_verified_comes_later() {
        let (mut authors, now) = authors();
        let levels = [1, 2, 3, 3, 4, 4, 4, 4, 5].map(|expected| {
            let level = authors.level(&key(1), false, now);
            authors.charge(&key(1), 1, now);
            (level, Level(expected))
        });
        levels.into_iter().for_each(|(level, expected)| assert_eq!(level, expected));
        authors.charge(&key(1), 1000, now);
        assert_eq!(authors.level(&key(1), false, now), Level::MANY);
        assert_eq!(authors.level(&key(2), false, now), Level(1), "another author pays nothing");
    }

    #[test]
    fn what_came_to_something_is_not_held_against_its_author() {
        let (mut authors, now) = authors();
        for _ in 0..1000 {
            authors.charge(&key(1), 1, now);
            authors.give_back(&key(1));
        }
        assert_eq!(authors.level(&key(1), false, now), Level(1));
    }

    #[test]
    fn everything_is_forgotten_within_eleven_minutes() {
        let (mut authors, now) = authors();
        authors.charge(&key(1), u32::MAX, now);
        assert_eq!(authors.level(&key(1), false, now + Duration::from_secs(300)), Level::MANY);
        assert_eq!(authors.level(&key(1), false, now + Duration::from_secs(640)), Level(1));
    }

    #[test]
    fn somebody_who_is_waited_for_goes_first_until_they_answer_wrongly_again_and_again() {
        let (mut authors, now) = authors();
        for _ in 0..7 {
            assert_eq!(authors.level(&key(1), true, now), Level::WAITED_FOR);
            authors.charge(&key(1), 1, now);
        }
        authors.charge(&key(1), 1, now);
        assert_eq!(authors.level(&key(1), true, now), authors.level(&key(1), false, now));
    }

    #[test]
    fn among_ten_thousand_authors_with_eight_events_each_a_newcomer_comes_first() {
        let (mut authors, now) = authors();
        for _ in 0..8 {
            (0..10_000).for_each(|n| authors.charge(&key(n), 1, now));
        }
        let first = |n| authors.level(&key(n), false, now) < Level::of(8);
        assert!((0..10_000).all(|n| !first(n)));
        assert!((10_000..20_000).filter(|n| first(*n)).count() > 9_900);
    }

    proptest! {
        #[test]
        fn an_account_never_looks_smaller_than_it_is(
            charges in proptest::collection::vec((0_u32..2_000, 1_u32..5, 0_u64..2_000), 1..400)
        ) {
            let (mut authors, mut now) = authors();
            let mut truth = std::collections::HashMap::<u32, Instant>::new();
            for (who, events, later) in charges {
                now += Duration::from_millis(later);
                authors.charge(&key(who), events, now);
                let settled = truth.entry(who).or_insert(now);
                *settled = ((*settled).max(now) + FORGIVEN_AFTER * events).min(now + FORGIVEN_AFTER * MOST);
            }
            for (who, settled) in truth {
                let owed = millis(settled.saturating_duration_since(now)).saturating_sub(1);
                prop_assert!(authors.level(&key(who), false, now) >= Level::of(owed.div_ceil(10_000)));
            }
        }
    }
}
