//! `[wallets.para_session]` and `[wallets.capsule_session]`: sessions that Para's and Capsule's libraries export.

use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::value::magic::RelativePathBuf;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::address;
use crate::config::bounds::{LONGEST, MINUTE, MOMENT, Number};
use crate::config::files::{self, show_path};
use crate::config::mistakes::InSection;
use crate::shown;

/// How exported sessions are checked. Both sections have this shape.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ParaSessionRules {
    /// The file with the API key that the web app uses for its sessions; 0600.
    #[serde(deserialize_with = "path")]
    #[serde(serialize_with = "files::serialize_path")]
    pub api_key_file: PathBuf,
    /// The file with the secret API key, which queries identifiers and addresses; 0600. Default: the API key.
    #[serde(default, deserialize_with = "optional_path")]
    #[serde(serialize_with = "files::serialize_optional_path")]
    pub secret_key_file: Option<PathBuf>,
    /// The URL of the provider's API. Default: its production environment.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Our partner id: a session must belong to this app.
    pub partner_id: String,
    /// Whether a session that carries a signer (a share of the user's key) is refused. Default false: the signer
    /// is dropped.
    #[serde(default)]
    pub refuse_signers: bool,
    /// How long the provider's answer that a session is active is cached. Default 3 seconds.
    #[serde(default = "cache", with = "crate::config::duration")]
    pub cache: Duration,
    /// How long the provider may take to answer. Default 5 seconds.
    #[serde(default = "timeout", with = "crate::config::duration")]
    pub timeout: Duration,
    /// Whether the API may have a private address, and use plain HTTP at a loopback address. Default false.
    #[serde(default)]
    pub allow_private: bool,
    /// How long our session lasts, because the provider does not say when its own expires. Default 12 hours.
    #[serde(default = "session", with = "crate::config::duration")]
    pub session: Duration,
}

fn cache() -> Duration {
    Duration::from_secs(3)
}

fn timeout() -> Duration {
    Duration::from_secs(5)
}

fn session() -> Duration {
    Duration::from_secs(12 * 3600)
}

fn path<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    Ok(RelativePathBuf::deserialize(from)?.relative())
}

fn optional_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    path(from).map(Some)
}

/// The default URL of the provider's API, by its section.
pub(super) const PARA: &str = "https://api.getpara.com";
pub(super) const CAPSULE: &str = "https://api.usecapsule.com";

/// The API keys.
#[derive(Debug)]
pub struct ParaApiKeys {
    /// The key that the web app uses for its sessions.
    pub public: SecretString,
    /// The key that queries identifiers and addresses.
    pub secret: SecretString,
}

/// The reason why the API key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}: cannot use the API key in {}: {reason}", show_path(path))]
pub struct ApiKeyError {
    /// The key of the configuration that names the file.
    name: &'static str,
    path: PathBuf,
    reason: String,
}

impl ParaSessionRules {
    /// Its numbers, with their bounds.
    pub(super) fn numbers(&self) -> Vec<Number> {
        /// The user who logs in waits for the answer.
        const PATIENCE: Duration = Duration::from_secs(30);

        vec![
            Number::time("cache", self.cache, Duration::ZERO..=LONGEST),
            Number::time("timeout", self.timeout, MOMENT..=PATIENCE),
            Number::time("session", self.session, MINUTE..=LONGEST),
        ]
    }

    /// Checks the values, and fills in the URL of the provider's API.
    pub(super) fn check(&mut self, default_base: &str, wrong: &mut InSection<'_>) {
        const LONGEST_CACHE: Duration = Duration::from_secs(10);

        let base = self.base_url.get_or_insert_with(|| default_base.into());
        wrong.keep("base_url", base_url(base, self.allow_private));
        if self.partner_id.is_empty() {
            wrong.add("partner_id", "is empty: Portico would accept sessions of any app");
        }
        if self.cache > LONGEST_CACHE {
            wrong.add("cache", "must be at most 10s: an ended session stays valid for that long");
        }
    }

    /// Reads the API keys.
    ///
    /// # Errors
    /// [`ApiKeyError`] names the file.
    pub fn keys(&self) -> Result<ParaApiKeys, ApiKeyError> {
        let public = key("api_key_file", &self.api_key_file)?;
        let secret = self.secret_key_file.as_deref();
        let secret = secret.map_or_else(|| Ok(public.clone()), |path| key("secret_key_file", path))?;
        Ok(ParaApiKeys { public, secret })
    }
}

/// Paths are appended to it, so it must not have a query.
fn base_url(text: &str, allow_private: bool) -> Result<(), String> {
    let url = Url::parse(text)
        .map_err(|error| format!("{:?} is not a URL: {}", shown::refused(text), shown::fault(error)))?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.host_str().is_some();
    if !plain {
        return Err("must be a host and a path, without user, query or fragment".into());
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if allow_private && address::literal(&url).is_some_and(|ip| ip.is_loopback()) => Ok(()),
        _ => Err("must be https (http is accepted at a loopback address with allow_private = true)".into()),
    }
}

fn key(name: &'static str, path: &Path) -> Result<SecretString, ApiKeyError> {
    let unusable = |reason: String| ApiKeyError { name, path: path.to_owned(), reason };
    match files::read_secret(path) {
        Ok(Some(key)) if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(SecretString::from(key.as_str()))
        }
        Ok(Some(_)) => Err(unusable("it must be one line of visible ASCII".into())),
        Ok(None) => Err(unusable("the file does not exist".into())),
        Err(error) => Err(unusable(error.to_string())),
    }
}
