//! `[access]`: access tokens, and the keys that sign them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access_token::Algorithm;
use crate::config::bounds::{LONGEST, Number};
use crate::config::mistakes::InSection;

const HOUR: Duration = Duration::from_secs(3600);

/// `[access]`: access tokens, and the keys that sign them.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessRules {
    /// `iss` of access tokens (RFC 9068 §2.2). Default: `nostr:npub1…`, the service's key (NIP-21).
    pub issuer: Option<String>,
    /// `aud` of access tokens. Default: the issuer.
    pub audience: Option<String>,
    /// The algorithm of their signatures. Default ES256.
    pub algorithm: Algorithm,
    /// Their lifetime; a token never outlasts the wallet's credential. Default 15 minutes.
    #[serde(with = "crate::config::duration")]
    pub lifetime: Duration,
    /// The longest lifetime of a JWT from service to service. Default 30 days.
    #[serde(with = "crate::config::duration")]
    pub max_service_lifetime: Duration,
    /// How long one key signs; zero: until an operator rotates the keys. Default 30 days.
    #[serde(with = "crate::config::duration")]
    pub rotate_every: Duration,
}

impl Default for AccessRules {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            algorithm: Algorithm::Es256,
            lifetime: Duration::from_secs(15 * 60),
            max_service_lifetime: Duration::from_secs(30 * 24 * 3600),
            rotate_every: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

impl AccessRules {
    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        /// A shorter lifetime would need a refresh for almost every request.
        const SHORTEST_LIFETIME: Duration = Duration::from_secs(10);
        const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

        vec![
            Number::time("lifetime", self.lifetime, SHORTEST_LIFETIME..=LONGEST_LIFETIME),
            Number::time("max_service_lifetime", self.max_service_lifetime, HOUR..=LONGEST),
            Number::time("rotate_every", self.rotate_every, Duration::ZERO..=LONGEST),
        ]
    }

    /// Checks the values.
    pub(in crate::config) fn check(&self, wrong: &mut InSection<'_>) {
        for (key, name) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if let Some(name) = name
                && !is_string_or_uri(name)
            {
                wrong.add(key, format!("{name:?} is neither a name nor a URI (RFC 7519 §2)"));
            }
        }
        if !self.rotate_every.is_zero() && self.rotate_every < HOUR {
            wrong.add("rotate_every", "must be at least 1h, or 0s to rotate only on request");
        }
    }
}

/// A value with a colon must be a URI.
fn is_string_or_uri(text: &str) -> bool {
    let printable = !text.is_empty() && text.chars().all(|c| !c.is_control() && !c.is_whitespace());
    printable && (!text.contains(':') || url::Url::parse(text).is_ok())
}
