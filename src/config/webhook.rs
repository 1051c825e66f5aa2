//! `[webhook]`: the receiver of events, and the secret that signs them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use figment::value::magic::RelativePathBuf;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::Deserialize;
use url::Url;

use super::files::{self, FileError, MIN_SECRET, show_path};
use crate::shown;

/// The prefix of a secret in the form of Standard Webhooks; the key in base64 follows.
const STANDARD_PREFIX: &str = "whsec_";

/// `[webhook]`: the receiver of every event.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where events are posted to.
    pub url: WebhookUrl,
    /// The source of the secret that signs them.
    pub secret: WebhookSecret,
    /// How they are delivered.
    pub rules: WebhookRules,
}

/// How events are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookRules {
    /// Deliveries at the same time, at most one for each stream. Default 32.
    pub max_concurrent: usize,
    /// When so many deliveries wait, new requests are refused. Default 1,000,000.
    pub max_waiting: u64,
    /// How long the receiver may take to answer. Default 10 seconds.
    pub timeout: Duration,
    /// The wait after a first failure; doubles with each. Default 1 second.
    pub first_retry: Duration,
    /// The longest wait, and the wait after a refusal (4xx). Default 10 minutes.
    pub longest_retry: Duration,
    /// How long delivery of an event is retried. Default 24 hours.
    pub give_up_after: Duration,
}

/// The receiver's URL. Prints without its query, which may contain a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// The whole URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown::url(&self.0))
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The source of the secret.
#[derive(Debug, Clone)]
pub enum WebhookSecret {
    /// The configuration contains it.
    Given(SecretString),
    /// A file that must exist.
    File(PathBuf),
}

/// Shows the source, never the secret.
impl fmt::Display for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("in the configuration"),
            Self::File(path) => f.write_str(&show_path(path)),
        }
    }
}

/// The error for a shorter secret.
const TOO_SHORT: &str = "must be at least 16 bytes long";

/// The error for a secret that has the prefix of Standard Webhooks, but no valid key after it.
const NOT_BASE64: &str = "whsec_ must be followed by base64 with padding, of at least 16 bytes";

/// The reason why the webhook secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookSecretError {
    /// The file cannot be read or trusted.
    #[error("cannot use the webhook secret in {}: {error}", show_path(path))]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: FileError,
    },
    /// The file does not exist.
    #[error("the webhook secret file {} does not exist", show_path(.0))]
    Missing(PathBuf),
    /// It is too short, so it could be guessed.
    #[error("webhook.secret: {TOO_SHORT}")]
    TooShort,
    /// It has the prefix of Standard Webhooks, but no valid key after it.
    #[error("webhook.secret: {NOT_BASE64}")]
    NotBase64,
}

/// The keys that sign a delivery.
#[derive(Clone)]
pub struct WebhookKeys {
    /// The text of the secret: the key of `x-portal-signature`.
    pub text: SecretString,
    /// The key of `webhook-signature` (Standard Webhooks): the bytes that `whsec_…` encodes, else the text.
    pub standard: SecretSlice<u8>,
}

/// Never shows the keys.
impl fmt::Debug for WebhookKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKeys([redacted])")
    }
}

impl WebhookKeys {
    /// The keys of this secret.
    ///
    /// # Errors
    /// [`WebhookSecretError::TooShort`], [`WebhookSecretError::NotBase64`].
    pub fn of(text: SecretString) -> Result<Self, WebhookSecretError> {
        let standard = match text.expose_secret().strip_prefix(STANDARD_PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| WebhookSecretError::NotBase64)?,
            None => text.expose_secret().as_bytes().to_vec(),
        };
        let standard = SecretSlice::from(standard);
        if standard.expose_secret().len() >= MIN_SECRET {
            Ok(Self { text, standard })
        } else if text.expose_secret().starts_with(STANDARD_PREFIX) {
            Err(WebhookSecretError::NotBase64)
        } else {
            Err(WebhookSecretError::TooShort)
        }
    }
}

impl WebhookSecret {
    /// The keys of this secret.
    ///
    /// # Errors
    /// [`WebhookSecretError`].
    pub fn load(&self) -> Result<WebhookKeys, WebhookSecretError> {
        let secret = match self {
            Self::Given(secret) => secret.clone(),
            Self::File(path) => match files::read_secret(path) {
                Ok(Some(text)) => SecretString::from(text.as_str()),
                Ok(None) => return Err(WebhookSecretError::Missing(path.clone())),
                Err(error) => return Err(WebhookSecretError::File { path: path.clone(), error }),
            },
        };
        WebhookKeys::of(secret)
    }
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawWebhook {
    url: Option<String>,
    secret: Option<SecretString>,
    pub(super) secret_file: Option<RelativePathBuf>,
    pub(super) max_concurrent: usize,
    pub(super) max_waiting: u64,
    #[serde(with = "super::duration")]
    pub(super) timeout: Duration,
    #[serde(with = "super::duration")]
    pub(super) first_retry: Duration,
    #[serde(with = "super::duration")]
    pub(super) longest_retry: Duration,
    #[serde(with = "super::duration")]
    pub(super) give_up_after: Duration,
}

impl Default for RawWebhook {
    fn default() -> Self {
        Self {
            url: None,
            secret: None,
            secret_file: None,
            max_concurrent: 32,
            max_waiting: 1_000_000,
            timeout: Duration::from_secs(10),
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(10 * 60),
            give_up_after: Duration::from_secs(24 * 3600),
        }
    }
}

/// A mistake in the section: the key, and the reason.
type Mistake = (&'static str, &'static str);

impl RawWebhook {
    /// Uses these values if no receiver is configured, so that a receiver never gets the secret of another.
    /// `false`: a receiver is configured.
    pub(super) fn fill(&mut self, url: Option<String>, secret: Option<SecretString>) -> bool {
        if self.url.is_some() || self.secret.is_some() || self.secret_file.is_some() {
            return false;
        }
        (self.url, self.secret) = (url, secret);
        true
    }

    /// Checks the section; `None`: no receiver is configured.
    pub(super) fn check(self) -> Result<Option<Webhook>, Mistake> {
        let secret = match (self.secret, self.secret_file) {
            (Some(_), Some(_)) => return Err(("webhook.secret", "set secret or secret_file, not both")),
            (Some(secret), None) => Some(WebhookSecret::Given(secret)),
            (None, Some(path)) => Some(WebhookSecret::File(path.relative())),
            (None, None) => None,
        };
        let (url, secret) = match (self.url, secret) {
            (Some(url), Some(secret)) => (check_url(&url)?, secret),
            (Some(_), None) => return Err(("webhook.secret", "is missing: set secret or secret_file")),
            (None, Some(_)) => return Err(("webhook.url", "is missing, but a secret is set")),
            (None, None) => return Ok(None),
        };
        if let WebhookSecret::Given(_) = secret {
            match secret.load() {
                Ok(_) => {}
                Err(WebhookSecretError::NotBase64) => return Err(("webhook.secret", NOT_BASE64)),
                Err(_) => return Err(("webhook.secret", TOO_SHORT)),
            }
        }
        let rules = WebhookRules {
            max_concurrent: self.max_concurrent,
            max_waiting: self.max_waiting,
            timeout: self.timeout,
            first_retry: self.first_retry,
            longest_retry: self.longest_retry,
            give_up_after: self.give_up_after,
        };
        rules.check()?;
        Ok(Some(Webhook { url, secret, rules }))
    }
}

impl WebhookRules {
    fn check(&self) -> Result<(), Mistake> {
        const MOMENT: Duration = Duration::from_millis(1);

        if !(1..=1024).contains(&self.max_concurrent) {
            return Err(("webhook.max_concurrent", "must be from 1 to 1024"));
        }
        if self.max_waiting == 0 {
            return Err(("webhook.max_waiting", "must be at least 1"));
        }
        if self.timeout < MOMENT {
            return Err(("webhook.timeout", "must be at least 1ms"));
        }
        if self.first_retry < MOMENT {
            return Err(("webhook.first_retry", "must be at least 1ms"));
        }
        if self.longest_retry < self.first_retry {
            return Err(("webhook.longest_retry", "must be at least first_retry"));
        }
        Ok(())
    }
}

/// Any host is accepted, also loopback and private ones: the operator knows where the receiver is.
fn check_url(text: &str) -> Result<WebhookUrl, Mistake> {
    const KEY: &str = "webhook.url";
    let url = Url::parse(text).map_err(|_| (KEY, "is not a URL like https://app.example/events"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err((KEY, "must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err((KEY, "must not contain a user or a password: the signature shows who calls"));
    }
    Ok(WebhookUrl(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn raw(url: &str, secret: &str) -> RawWebhook {
        RawWebhook { url: Some(url.into()), secret: Some(secret.into()), ..RawWebhook::default() }
    }

    #[test]
    fn without_a_url_there_is_no_webhook_and_with_one_the_documented_defaults_hold() {
        assert!(RawWebhook::default().check().unwrap().is_none());
        let webhook = raw("http://127.0.0.1:8080/hook", SECRET).check().unwrap().unwrap();
        assert_eq!(webhook.rules.max_concurrent, 32);
        assert_eq!(webhook.rules.timeout.as_secs(), 10);
        assert_eq!(webhook.rules.give_up_after.as_secs(), 24 * 3600);
    }

    #[test]
    fn every_mistake_names_its_key() {
        let both = RawWebhook { secret_file: Some("s".into()), ..raw("https://a.example", SECRET) };
        let no_secret = RawWebhook { secret: None, ..raw("https://a.example", SECRET) };
        let no_url = RawWebhook { url: None, ..raw("", SECRET) };
        let none_at_once = RawWebhook { max_concurrent: 0, ..raw("https://a.example", SECRET) };
        let retry = Duration::from_secs(3600);
        let upside_down = RawWebhook { first_retry: retry, ..raw("https://a.example", SECRET) };
        for (raw, key) in [
            (raw("ftp://a.example", SECRET), "webhook.url"),
            (raw("a.example/hook", SECRET), "webhook.url"),
            (raw("https://user:pass@a.example", SECRET), "webhook.url"),
            (raw("https://a.example", "0123456789abcde"), "webhook.secret"),
            // Not base64, without its padding, of the other alphabet, of 15 bytes, nothing.
            (raw("https://a.example", "whsec_0123456789abcdef!"), "webhook.secret"),
            (raw("https://a.example", "whsec_MDEyMzQ1Njc4OWFiY2RlZg"), "webhook.secret"),
            (raw("https://a.example", "whsec_-_EyMzQ1Njc4OWFiY2RlZg=="), "webhook.secret"),
            (raw("https://a.example", "whsec_MDEyMzQ1Njc4OWFiY2Rl"), "webhook.secret"),
            (raw("https://a.example", "whsec_"), "webhook.secret"),
            (both, "webhook.secret"),
            (no_secret, "webhook.secret"),
            (no_url, "webhook.url"),
            (none_at_once, "webhook.max_concurrent"),
            (upside_down, "webhook.longest_retry"),
        ] {
            assert_eq!(raw.check().unwrap_err().0, key);
        }
    }

    #[test]
    fn whoever_reads_the_log_learns_neither_secret_nor_query() {
        let webhook = raw("https://a.example/hook?key=hunter2", SECRET).check().unwrap().unwrap();
        let shown = format!("{webhook:?} {} {}", webhook.url, webhook.secret);
        assert!(!shown.contains("hunter2") && !shown.contains(SECRET), "{shown}");
        assert!(shown.contains("https://a.example/hook?[redacted]"), "{shown}");
    }

    #[test]
    fn a_secret_in_a_file_is_held_to_the_same_rules() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let secret = WebhookSecret::File(path.clone());
        assert!(matches!(secret.load(), Err(WebhookSecretError::Missing(_))));
        files::create_secret(&path, SECRET).unwrap();
        let keys = secret.load().unwrap();
        assert_eq!((keys.text.expose_secret(), keys.standard.expose_secret()), (SECRET, SECRET.as_bytes()));
        std::fs::write(&path, "short\n").unwrap();
        assert!(matches!(secret.load(), Err(WebhookSecretError::TooShort)));
        std::fs::write(&path, "whsec_MDEyMzQ1Njc4OWFiY2RlZg==\n").unwrap();
        assert_eq!(secret.load().unwrap().standard.expose_secret(), SECRET.as_bytes());
        std::fs::write(&path, "whsec_0123456789abcdef!\n").unwrap();
        assert!(matches!(secret.load(), Err(WebhookSecretError::NotBase64)));
    }
}
