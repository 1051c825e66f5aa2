//! What a kind-0 event says.

use nostr_sdk::{Event, JsonUtil, Kind, Metadata};

use crate::config::ProfileRules;

/// The content that says this.
pub fn metadata(profile: &ProfileRules) -> Metadata {
    Metadata {
        name: profile.name.clone(),
        display_name: profile.display_name.clone(),
        picture: profile.picture.clone(),
        nip05: profile.nip05.clone(),
        ..Metadata::default()
    }
}

/// What an event says, read as strictly as Portal's wallet does: a name that is no text spoils all of it.
pub fn read(event: &Event) -> Option<ProfileRules> {
    let metadata =
        (event.kind == Kind::Metadata).then(|| Metadata::from_json(&event.content).ok()).flatten()?;
    let Metadata { name, display_name, picture, nip05, .. } = metadata;
    Some(ProfileRules { name, display_name, picture, nip05 })
}
