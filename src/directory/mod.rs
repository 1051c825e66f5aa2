//! Profiles (NIP-01 kind 0) and NIP-05 names of users. Names are shown only if they are verified.

mod hosts;

use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{Event, Kind, PublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use hosts::Nip05Error;

use crate::config::LookupRules;
use crate::metrics::{Limit, Metrics};
use crate::nip05::Name;
use crate::quoted::quoted;
use crate::relay::Relays;
use crate::tls::Tls;
use hosts::Hosts;

/// The longest text of a profile that is shown, in bytes.
const MAX_TEXT: usize = 2048;

/// A user's public profile; empty fields are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Short name.
    pub name: Option<String>,
    /// Display name.
    pub display_name: Option<String>,
    /// URL of a picture.
    pub picture: Option<String>,
    /// A NIP-05 name that points to the same key; never an unverified one.
    pub nip05: Option<String>,
}

/// The key of a NIP-05 name.
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

/// Looks users up, and serves the names of the service itself.
#[derive(Debug)]
pub struct Directory {
    main_key: PublicKey,
    /// Names of the service (NIP-05).
    own_names: Vec<String>,
    timeout: Duration,
    hosts: Hosts,
    relays: Relays,
    metrics: Arc<Metrics>,
}

impl Directory {
    /// A directory with these rules. `own`: the service's key and its NIP-05 names.
    pub fn new(
        own: (PublicKey, Vec<String>),
        rules: &LookupRules,
        tls: &Tls,
        relays: Relays,
        metrics: Arc<Metrics>,
    ) -> Self {
        let ((main_key, own_names), timeout) = (own, rules.timeout);
        Self { main_key, own_names, timeout, hosts: Hosts::new(rules, tls), relays, metrics }
    }

    /// The newest profile of a key at the relays.
    pub async fn profile(&self, key: &PublicKey) -> Option<Profile> {
        let event = self.relays.fetch_metadata(key, self.timeout).await?;
        let mut profile = read_profile(&event)?;
        if let Some(name) = profile.nip05.take() {
            profile.nip05 = self.confirms(&name, key).await.then_some(name);
        }
        Some(profile)
    }

    /// The key of a NIP-05 name, with its profile.
    ///
    /// # Errors
    /// [`Nip05Error`]: why the key is not known.
    pub async fn nip05(&self, name: &str) -> Result<Nip05Profile, Nip05Error> {
        let parsed = Name::parse(name).ok_or_else(|| Nip05Error::NotAName(quoted(name)))?;
        let found = self.hosts.find(&parsed).await?;
        let metadata = self.relays.fetch_metadata(&found.public_key, self.timeout).await;
        let profile = metadata.as_ref().and_then(read_profile).unwrap_or_default();
        Ok(Nip05Profile {
            public_key: found.public_key,
            relays: found.relays.iter().map(ToString::to_string).collect(),
            profile: Profile { nip05: Some(name.to_owned()), ..profile },
        })
    }

    /// The service's own NIP-05 document, for one name or for all.
    pub fn nip05_document(&self, name: Option<&str>) -> Value {
        let key = self.main_key.to_hex();
        let names: Map<String, Value> = self
            .own_names
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
        match self.hosts.find(&name).await {
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

/// The text fields of a kind-0 event.
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
