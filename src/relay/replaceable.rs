//! Events of which a relay keeps one for each author (NIP-01, replaceable events).

use nostr_sdk::prelude::Event;

/// Whether a relay keeps `new` in the place of `old` (NIP-01): the later one, of two of one second that with the
/// lower id.
pub fn supersedes(new: &Event, old: &Event) -> bool {
    (new.created_at, std::cmp::Reverse(new.id)) > (old.created_at, std::cmp::Reverse(old.id))
}
