//! Who is that? Profiles (NIP-01 kind 0) and NIP-05 names, which are shown only when they verify.

use std::time::Duration;

use nostr_sdk::{Event, Kind, PublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::nip05::{Hosts, Name, Nip05Error};
use super::{Portal, Result};
use crate::config::LookupRules;
use crate::metrics::Limit;
use crate::quoted::quoted;
use crate::tls::Tls;

/// The longest text of a profile that is shown, in bytes.
const MAX_TEXT: usize = 2048;

/// A user's public profile, as far as it says something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Short name.
    pub name: Option<String>,
    /// Name to show.
    pub display_name: Option<String>,
    /// URL of a picture.
    pub picture: Option<String>,
    /// A NIP-05 name that points back to the same key; never one that does not.
    pub nip05: Option<String>,
}

/// Whom a NIP-05 name points to.
#[derive(Debug, Clone, Serialize)]
pub struct Nip05Profile {
    /// The key.
    pub public_key: PublicKey,
    /// Relays where the key can be found.
    pub relays: Vec<String>,
    /// The key's profile.
    #[serde(flatten)]
    pub profile: Profile,
}

#[derive(Debug)]
pub(super) struct Lookup {
    timeout: Duration,
    hosts: Hosts,
}

impl Lookup {
    pub(super) fn new(rules: &LookupRules, tls: &Tls) -> reqwest::Result<Self> {
        Ok(Self { timeout: rules.timeout, hosts: Hosts::new(rules, tls)? })
    }
}

impl Portal {
    /// The newest profile that the relays have of a key.
    pub async fn profile(&self, key: &PublicKey) -> Option<Profile> {
        let event = self.relays.fetch_metadata(key, self.lookup.timeout).await?;
        let mut profile = read_profile(&event)?;
        if let Some(name) = profile.nip05.take() {
            profile.nip05 = self.confirms(&name, key).await.then_some(name);
        }
        Some(profile)
    }

    /// Whom a NIP-05 name points to, with that key's profile.
    ///
    /// # Errors
    /// [`Nip05Error`]: why that is not known.
    pub async fn nip05(&self, name: &str) -> Result<Nip05Profile> {
        let parsed = Name::parse(name).ok_or_else(|| Nip05Error::NotAName(quoted(name)))?;
        let found = self.lookup.hosts.find(&parsed).await?;
        let metadata = self.relays.fetch_metadata(&found.public_key, self.lookup.timeout).await;
        let profile = metadata.as_ref().and_then(read_profile).unwrap_or_default();
        Ok(Nip05Profile {
            public_key: found.public_key,
            relays: found.relays.iter().map(ToString::to_string).collect(),
            profile: Profile { nip05: Some(name.to_owned()), ..profile },
        })
    }

    /// The service's own NIP-05 document, for one name or for all of them.
    pub fn nip05_document(&self, name: Option<&str>) -> Value {
        let key = self.identity.main_key().to_hex();
        let names: Map<String, Value> = self
            .nip05_names
            .iter()
            .filter(|known| name.is_none_or(|name| name.eq_ignore_ascii_case(known)))
            .map(|known| (known.clone(), Value::from(key.clone())))
            .collect();
        let relays: Vec<String> = self.relays.urls_for_handshake().iter().map(ToString::to_string).collect();
        let relays = if names.is_empty() { json!({}) } else { json!({ key: relays }) };
        json!({ "names": names, "relays": relays })
    }

    async fn confirms(&self, name: &str, key: &PublicKey) -> bool {
        let Some(name) = Name::parse(name) else { return false };
        match self.lookup.hosts.find(&name).await {
            Ok(found) => found.public_key == *key,
            Err(error) => {
                if error == Nip05Error::TooLarge {
                    self.metrics.limits.reached(Limit::Nip05Document);
                }
                tracing::debug!(%error, "a profile's NIP-05 name is not shown");
                false
            }
        }
    }
}

/// What a kind-0 event says, where it says it as text.
fn read_profile(event: &Event) -> Option<Profile> {
    if event.kind != Kind::Metadata {
        return None;
    }
    let content: Value = serde_json::from_str(&event.content).ok()?;
    let text = |key: &str| {
        content.get(key).and_then(Value::as_str).filter(|text| text.len() <= MAX_TEXT).map(str::to_owned)
    };
    Some(Profile {
        name: text("name"),
        display_name: text("display_name"),
        picture: text("picture"),
        nip05: text("nip05"),
    })
}
