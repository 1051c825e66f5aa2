//! Events of which a relay keeps only one for each author (NIP-01, replaceable events).

use nostr_sdk::prelude::Event;

/// Whether a relay replaces `old` by `new` (NIP-01): the later one wins; within one second, the one with the
/// lower id.
pub fn supersedes(new: &Event, old: &Event) -> bool {
    (new.created_at, std::cmp::Reverse(new.id)) > (old.created_at, std::cmp::Reverse(old.id))
}
