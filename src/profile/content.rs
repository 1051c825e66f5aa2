//! The content of a kind-0 event.

use nostr_sdk::{Event, EventBuilder, JsonUtil, Kind, Metadata, Timestamp};

use crate::config::ProfileRules;

/// The content of a kind-0 event for this profile.
fn metadata(profile: &ProfileRules) -> Metadata {
    Metadata {
        name: profile.name.clone(),
        display_name: profile.display_name.clone(),
        picture: profile.picture.clone(),
        nip05: profile.nip05.clone(),
        ..Metadata::default()
    }
}

/// An event with this profile, to be signed at `now` (in seconds). Relays replace `newest` by it, the latest
/// profile that is known, even if the time of `newest` is in the future.
pub fn draft(profile: &ProfileRules, now: u64, newest: Option<&Event>) -> EventBuilder {
    let at = newest.map_or(now, |newest| now.max(newest.created_at.as_secs().saturating_add(1)));
    EventBuilder::metadata(&metadata(profile)).custom_created_at(Timestamp::from_secs(at))
}

/// The profile in an event, read as strictly as Portal's wallet does: one field that is no text makes all of
/// it invalid.
pub fn read(event: &Event) -> Option<ProfileRules> {
    let metadata =
        (event.kind == Kind::Metadata).then(|| Metadata::from_json(&event.content).ok()).flatten()?;
    let Metadata { name, display_name, picture, nip05, .. } = metadata;
    Some(ProfileRules { name, display_name, picture, nip05 })
}
