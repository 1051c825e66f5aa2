//! What a kind-0 event says.

use nostr_sdk::{Event, EventBuilder, JsonUtil, Kind, Metadata, Timestamp};

use crate::config::ProfileRules;

/// The content that says this.
fn metadata(profile: &ProfileRules) -> Metadata {
    Metadata {
        name: profile.name.clone(),
        display_name: profile.display_name.clone(),
        picture: profile.picture.clone(),
        nip05: profile.nip05.clone(),
        ..Metadata::default()
    }
}

/// An event that says this, to be signed at `now` (in seconds). Relays keep it in the place of `newest`, the latest
/// profile that is known, even if that is of a time to come.
pub fn draft(profile: &ProfileRules, now: u64, newest: Option<&Event>) -> EventBuilder {
    let at = newest.map_or(now, |newest| now.max(newest.created_at.as_secs().saturating_add(1)));
    EventBuilder::metadata(&metadata(profile)).custom_created_at(Timestamp::from_secs(at))
}

/// What an event says, read as strictly as Portal's wallet does: a name that is no text spoils all of it.
pub fn read(event: &Event) -> Option<ProfileRules> {
    let metadata =
        (event.kind == Kind::Metadata).then(|| Metadata::from_json(&event.content).ok()).flatten()?;
    let Metadata { name, display_name, picture, nip05, .. } = metadata;
    Some(ProfileRules { name, display_name, picture, nip05 })
}
