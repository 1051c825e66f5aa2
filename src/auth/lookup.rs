//! Who is that? Profiles (NIP-01 kind 0) and NIP-05 names, which are shown only when they verify.

use std::time::Duration;

use nostr_sdk::nips::nip05::{self, Nip05Address};
use nostr_sdk::{Event, EventBuilder, Kind, Metadata, PublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::{Auth, AuthError, Result};
use crate::address;
use crate::config::LookupRules;
use crate::outbound::Outbound;
use crate::relay::Outcome;
use crate::tls::Tls;

/// The largest NIP-05 document that is read, in bytes.
const MAX_DOCUMENT: usize = 256 * 1024;

/// The longest text of a profile that is shown, in bytes.
const MAX_TEXT: usize = 2048;

/// Look-ups at the same time; more wait.
const MAX_LOOKUPS: usize = 64;

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
    rules: LookupRules,
    http: Outbound,
    places: Semaphore,
}

impl Lookup {
    pub(super) fn new(rules: LookupRules, tls: &Tls) -> reqwest::Result<Self> {
        let http = Outbound::new(rules.timeout, rules.allow_private, tls)?;
        Ok(Self { rules, http, places: Semaphore::new(MAX_LOOKUPS) })
    }

    fn timeout(&self) -> Duration {
        self.rules.timeout
    }

    /// The NIP-05 document of a name's domain. `None`: not to be had.
    async fn document(&self, address: &Nip05Address) -> Option<Value> {
        let _place = self.places.acquire().await.ok()?;
        let mut url = address.url().clone();
        if self.rules.allow_private && address::literal(&url).is_some_and(|ip| ip.is_loopback()) {
            url.set_scheme("http").ok()?;
        }
        let request = self.http.client().get(url).build().ok()?;
        let answer = match self.http.send(request, MAX_DOCUMENT).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(host = address.url().host_str(), %error, "no NIP-05 document");
                return None;
            }
        };
        if !answer.status.is_success() {
            return None;
        }
        serde_json::from_slice(&answer.body).ok()
    }
}

impl Auth {
    /// The newest profile that the relays have of a key.
    pub async fn profile(&self, key: &PublicKey) -> Option<Profile> {
        let event = self.relays.fetch_metadata(key, self.lookup.timeout()).await?;
        let mut profile = read_profile(&event)?;
        if let Some(name) = profile.nip05.take() {
            profile.nip05 = self.confirms(&name, key).await.then_some(name);
        }
        Some(profile)
    }

    /// Whom a NIP-05 name points to, with that key's profile.
    ///
    /// # Errors
    /// `BadRequest`: that is no NIP-05 name.
    pub async fn nip05(&self, name: &str) -> Result<Option<Nip05Profile>> {
        let address = parse_name(name).ok_or_else(|| {
            AuthError::BadRequest(format!("{name:?} is not a NIP-05 name like user@example.com"))
        })?;
        let Some(document) = self.lookup.document(&address).await else { return Ok(None) };
        let Ok(found) = nip05::Nip05Profile::from_json(&address, &document) else { return Ok(None) };
        let metadata = self.relays.fetch_metadata(&found.public_key, self.lookup.timeout()).await;
        let profile = metadata.as_ref().and_then(read_profile).unwrap_or_default();
        Ok(Some(Nip05Profile {
            public_key: found.public_key,
            relays: found.relays.iter().map(ToString::to_string).collect(),
            profile: Profile { nip05: Some(name.to_owned()), ..profile },
        }))
    }

    /// Publishes the service's own profile (kind 0). `false`: no relay took it.
    pub async fn set_profile(&self, profile: &Profile) -> Result<bool> {
        let metadata = Metadata {
            name: profile.name.clone(),
            display_name: profile.display_name.clone(),
            picture: profile.picture.clone(),
            nip05: profile.nip05.clone(),
            ..Metadata::default()
        };
        let made_at = nostr_sdk::Timestamp::from_secs(self.clock.now().secs());
        let unsigned = EventBuilder::metadata(&metadata).custom_created_at(made_at);
        let event = self.identity.sealer.sign(unsigned).map_err(|_| AuthError::Seal)?;
        let outcomes = self.relays.publish_once(&event, self.lookup.timeout()).await;
        Ok(outcomes.iter().any(|(_, outcome)| *outcome == Outcome::Accepted))
    }

    /// The service's own NIP-05 document, for one name or for all of them.
    pub fn nip05_document(&self, name: Option<&str>) -> Value {
        let key = self.identity.main_key().to_hex();
        let names: Map<String, Value> = self
            .nip05_names
            .iter()
            .filter(|known| name.is_none_or(|name| name == known.as_str()))
            .map(|known| (known.clone(), Value::from(key.clone())))
            .collect();
        let relays: Vec<String> = self.relays.urls_for_handshake().iter().map(ToString::to_string).collect();
        let relays = if names.is_empty() { json!({}) } else { json!({ key: relays }) };
        json!({ "names": names, "relays": relays })
    }

    async fn confirms(&self, name: &str, key: &PublicKey) -> bool {
        let Some(address) = parse_name(name) else { return false };
        let document = self.lookup.document(&address).await;
        document.is_some_and(|document| nip05::verify_from_json(key, &address, &document))
    }
}

/// A name and a host, and nothing else: the URL that is made of them leads to no other path of that host,
/// and what is shown for verified is what was verified.
fn parse_name(name: &str) -> Option<Nip05Address> {
    let (local, host) = name.split_once('@').unwrap_or(("_", name));
    let consists_of = |text: &str, others: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    let is_plain = name.len() <= 320 && consists_of(local, "-_.") && consists_of(host, "-.:[]");
    is_plain.then(|| Nip05Address::parse(name).ok()).flatten()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_name_at_a_host() {
        for name in ["alice@example.com", "_@example.com", "example.com", "a.b-c_d@[::1]:8080"] {
            assert!(parse_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_hostile_profile_cannot_choose_what_is_fetched_from_a_host_nor_look_like_another_name() {
        for name in [
            "",
            "@",
            "alice@",
            "@example.com",
            "alice@example.com/admin?x=",
            "alice@example.com#",
            "alice@bob@example.com",
            "alice@example.com@evil.example",
            "alice&name=bob@example.com",
            "al ice@example.com",
            "alice@exa\nmple.com",
            "аlice@example.com",
        ] {
            assert!(parse_name(name).is_none(), "{name:?}");
        }
        assert!(parse_name(&format!("{}@example.com", "a".repeat(320))).is_none());
    }
}
