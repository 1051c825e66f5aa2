//! Which events were seen before. Pure.

use std::collections::HashSet;

use nostr_sdk::prelude::EventId;

/// A bounded memory of event ids.
///
/// Two generations: when the young one is full it becomes the old one, and the old one is forgotten. So the
/// latest `capacity` ids are always known, and at most twice as many are held. A cache that evicts by
/// popularity cannot promise that.
#[derive(Debug)]
pub(super) struct Seen {
    capacity: usize,
    young: HashSet<EventId>,
    old: HashSet<EventId>,
}

impl Seen {
    /// Remembers at least the latest `capacity` ids.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), young: HashSet::new(), old: HashSet::new() }
    }

    /// Whether this id was inserted, not too long ago.
    pub(super) fn contains(&self, id: &EventId) -> bool {
        self.young.contains(id) || self.old.contains(id)
    }

    /// Remembers an id; returns `false` if it was known. Only for verified events: an attacker who could
    /// insert the id of a future event would suppress it.
    pub(super) fn insert(&mut self, id: EventId) -> bool {
        if self.contains(&id) {
            return false;
        }
        if self.young.len() == self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> EventId {
        EventId::from_byte_array([n; 32])
    }

    #[test]
    fn an_id_is_new_once() {
        let mut seen = Seen::new(4);
        assert!(seen.insert(id(1)));
        assert!(!seen.insert(id(1)));
        assert!(seen.contains(&id(1)));
    }

    #[test]
    fn the_latest_ids_are_known_and_memory_is_bounded() {
        let mut seen = Seen::new(4);
        for n in 0..100 {
            seen.insert(id(n));
            for recent in n.saturating_sub(3)..=n {
                assert!(seen.contains(&id(recent)), "{recent} after {n}");
            }
            assert!(seen.young.len() + seen.old.len() <= 8);
        }
        assert!(!seen.contains(&id(0)));
    }
}
