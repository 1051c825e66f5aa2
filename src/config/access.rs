//! `[access]`: access tokens, and the keys that sign them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Mistake;
use crate::access_token::Algorithm;

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
    #[serde(with = "super::duration")]
    pub lifetime: Duration,
    /// The longest lifetime of a JWT from service to service. Default 30 days.
    #[serde(with = "super::duration")]
    pub max_service_lifetime: Duration,
    /// How long one key signs; zero: until an operator rotates the keys. Default 30 days.
    #[serde(with = "super::duration")]
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
    /// Checks the values. The error is the key, and the reason.
    pub(super) fn check(&self) -> Result<(), Mistake> {
        /// A shorter lifetime would need a refresh for almost every request.
        const SHORTEST: Duration = Duration::from_secs(10);
        const LONGEST: Duration = Duration::from_secs(24 * 3600);

        for (key, name) in [("access.issuer", &self.issuer), ("access.audience", &self.audience)] {
            if let Some(name) = name
                && !is_string_or_uri(name)
            {
                return Err((key, format!("{name:?} is neither a name nor a URI (RFC 7519 §2)")));
            }
        }
        if !(SHORTEST..=LONGEST).contains(&self.lifetime) {
            return Err(("access.lifetime", "must be from 10s to 24h".into()));
        }
        if self.max_service_lifetime < HOUR {
            return Err(("access.max_service_lifetime", "must be at least 1h".into()));
        }
        if !self.rotate_every.is_zero() && self.rotate_every < HOUR {
            return Err((
                "access.rotate_every",
                "must be at least 1h, or 0s to rotate only on request".into(),
            ));
        }
        Ok(())
    }
}

/// A value with a colon must be a URI.
fn is_string_or_uri(text: &str) -> bool {
    let printable = !text.is_empty() && text.chars().all(|c| !c.is_control() && !c.is_whitespace());
    printable && (!text.contains(':') || url::Url::parse(text).is_ok())
}
