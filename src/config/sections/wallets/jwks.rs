//! `[wallets.jwks]` and `[wallets.para]`: tokens of an issuer that publishes its keys.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::web_url::WebUrl;
use crate::config::bounds::{LONGEST, MOMENT, Number};
use crate::config::mistakes::InSection;
use crate::config::sections::written::one_or_more;

/// `[wallets.jwks]`: any issuer of JWTs with a JSON Web Key Set.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Jwks {
    /// `iss` of its tokens, exactly.
    pub issuer: String,
    /// The value that `aud` must be or contain.
    pub audience: String,
    /// The URL of its keys.
    pub jwks_url: WebUrl,
    /// The accepted signature algorithms. Default RS256, ES256 and EdDSA.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<JwtAlgorithm>,
    /// How far in the future `nbf` and `iat` may lie. Default 1 minute.
    #[serde(default = "leeway", with = "crate::config::duration")]
    pub leeway: Duration,
    /// Required claims, besides `iss`, `aud`, `exp` and those that name the wallet.
    #[serde(default, deserialize_with = "one_or_more")]
    pub required: Vec<String>,
    /// The claim with the wallet id; a nested claim as a JSON pointer (RFC 6901). Default `sub`.
    #[serde(default = "wallet_id")]
    pub wallet_id: String,
    /// The claim with the user's identifier for people. Default `email`.
    #[serde(default = "auth_identifier")]
    pub auth_identifier: String,
    /// The claim with the login method. Without one, `auth_method` is `jwt`.
    #[serde(default)]
    pub auth_method: Option<String>,
    /// How long old keys stay in use while fetching new ones fails. Default 24 hours.
    #[serde(default = "max_stale", with = "crate::config::duration")]
    pub max_stale: Duration,
    /// How long the issuer may take to answer. Default 5 seconds.
    #[serde(default = "timeout", with = "crate::config::duration")]
    pub timeout: Duration,
    /// Whether the host of the keys may have a private address, and use plain HTTP at a loopback address.
    #[serde(default)]
    pub allow_private: bool,
}

/// `[wallets.para]`: tokens that Para issues for an app's users.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Para {
    /// The id of the app's API key: the `aud` of its tokens.
    pub audience: String,
    /// The URL of Para's keys. Default: its production environment.
    #[serde(default = "para_keys")]
    pub jwks_url: WebUrl,
    /// How far in the future `nbf` and `iat` may lie. Default 1 minute.
    #[serde(default = "leeway", with = "crate::config::duration")]
    pub leeway: Duration,
    /// How long old keys stay in use while fetching new ones fails. Default 24 hours.
    #[serde(default = "max_stale", with = "crate::config::duration")]
    pub max_stale: Duration,
    /// How long Para may take to answer. Default 5 seconds.
    #[serde(default = "timeout", with = "crate::config::duration")]
    pub timeout: Duration,
    /// Whether the host of the keys may have a private address, and use plain HTTP at a loopback address.
    #[serde(default)]
    pub allow_private: bool,
}

words! {
    /// A signature algorithm of JWTs, by its JOSE name (RFC 7518 §3.1, RFC 8037 §3.1). No symmetric algorithms.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[expect(missing_docs, reason = "their names say it")]
    pub enum JwtAlgorithm: as_str, serde {
        RS256 = "RS256",
        RS384 = "RS384",
        RS512 = "RS512",
        PS256 = "PS256",
        PS384 = "PS384",
        PS512 = "PS512",
        ES256 = "ES256",
        ES384 = "ES384",
        EdDSA = "EdDSA",
    }
}

fn algorithms() -> Vec<JwtAlgorithm> {
    vec![JwtAlgorithm::RS256, JwtAlgorithm::ES256, JwtAlgorithm::EdDSA]
}

fn leeway() -> Duration {
    Duration::from_secs(60)
}

fn wallet_id() -> String {
    "sub".into()
}

fn auth_identifier() -> String {
    "email".into()
}

fn max_stale() -> Duration {
    Duration::from_secs(24 * 3600)
}

fn timeout() -> Duration {
    Duration::from_secs(5)
}

fn para_keys() -> WebUrl {
    "https://api.getpara.com/.well-known/jwks.json".parse().expect("it is a URL")
}

/// A longer leeway would accept wrong times.
const LONGEST_LEEWAY: Duration = Duration::from_secs(600);

/// The user who logs in waits for the answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl Jwks {
    /// Its numbers, with their bounds.
    pub(super) fn numbers(&self) -> Vec<Number> {
        numbers(self.leeway, self.max_stale, self.timeout)
    }

    /// Checks the values.
    pub(super) fn check(&self, wrong: &mut InSection<'_>) {
        for (key, name) in [
            ("issuer", &self.issuer),
            ("audience", &self.audience),
            ("wallet_id", &self.wallet_id),
            ("auth_identifier", &self.auth_identifier),
        ] {
            if name.is_empty() {
                wrong.add(key, "must not be empty");
            }
        }
        if self.algorithms.is_empty() {
            wrong.add("algorithms", "must name at least one");
        }
        wrong.keep("jwks_url", self.jwks_url.check(self.allow_private).map_err(|error| error.to_string()));
    }
}

impl Para {
    /// Its numbers, with their bounds.
    pub(super) fn numbers(&self) -> Vec<Number> {
        numbers(self.leeway, self.max_stale, self.timeout)
    }

    /// Checks the values.
    pub(super) fn check(&self, wrong: &mut InSection<'_>) {
        if self.audience.is_empty() {
            wrong.add("audience", "must be the id of your API key");
        }
        wrong.keep("jwks_url", self.jwks_url.check(self.allow_private).map_err(|error| error.to_string()));
    }
}

fn numbers(leeway: Duration, max_stale: Duration, timeout: Duration) -> Vec<Number> {
    vec![
        Number::time("leeway", leeway, Duration::ZERO..=LONGEST_LEEWAY),
        Number::time("max_stale", max_stale, Duration::ZERO..=LONGEST),
        Number::time("timeout", timeout, MOMENT..=PATIENCE),
    ]
}
