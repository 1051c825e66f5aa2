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

use crate::config::bounds::{LONGEST, MANY, MOMENT, Number, PATIENCE};
use crate::config::files::{self, FileError, MIN_SECRET, show_path};
use crate::config::mistakes::InSection;
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
    #[error("webhook.secret_file: cannot use the webhook secret in {}: {error}", show_path(path))]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: FileError,
    },
    /// The file does not exist.
    #[error("webhook.secret_file: the file {} does not exist", show_path(.0))]
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
pub(in crate::config) struct RawWebhook {
    url: Option<String>,
    secret: Option<SecretString>,
    pub(in crate::config) secret_file: Option<RelativePathBuf>,
    pub(in crate::config) max_concurrent: usize,
    pub(in crate::config) max_waiting: u64,
    #[serde(with = "crate::config::duration")]
    pub(in crate::config) timeout: Duration,
    #[serde(with = "crate::config::duration")]
    pub(in crate::config) first_retry: Duration,
    #[serde(with = "crate::config::duration")]
    pub(in crate::config) longest_retry: Duration,
    #[serde(with = "crate::config::duration")]
    pub(in crate::config) give_up_after: Duration,
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

impl RawWebhook {
    /// Uses these values if no receiver is configured, so that a receiver never gets the secret of another.
    /// `false`: a receiver is configured.
    pub(in crate::config) fn fill(&mut self, url: Option<String>, secret: Option<SecretString>) -> bool {
        if self.url.is_some() || self.secret.is_some() || self.secret_file.is_some() {
            return false;
        }
        (self.url, self.secret) = (url, secret);
        true
    }

    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        vec![
            Number::count("max_concurrent", self.max_concurrent, 1..=1024),
            Number::count("max_waiting", self.max_waiting, 1..=MANY),
            Number::time("timeout", self.timeout, MOMENT..=PATIENCE),
            Number::time("first_retry", self.first_retry, MOMENT..=LONGEST),
            Number::time("longest_retry", self.longest_retry, MOMENT..=LONGEST),
            Number::time("give_up_after", self.give_up_after, Duration::ZERO..=LONGEST),
        ]
    }

    /// Checks the section; `None`: no receiver is configured, or there is a mistake.
    pub(in crate::config) fn check(self, wrong: &mut InSection<'_>) -> Option<Webhook> {
        let rules = WebhookRules {
            max_concurrent: self.max_concurrent,
            max_waiting: self.max_waiting,
            timeout: self.timeout,
            first_retry: self.first_retry,
            longest_retry: self.longest_retry,
            give_up_after: self.give_up_after,
        };
        if rules.longest_retry < rules.first_retry {
            wrong.add("longest_retry", "must be at least first_retry");
        }
        let (names_url, names_secret) =
            (self.url.is_some(), self.secret.is_some() || self.secret_file.is_some());
        let url = self.url.and_then(|url| wrong.keep("url", check_url(&url)));
        let secret = check_secret(self.secret, self.secret_file, wrong);
        match (names_url, names_secret) {
            // One that does not fit was noted before, and left out.
            (true, false) if !wrong.has("secret_file") => {
                wrong.add_missing("secret", "is missing: set secret or secret_file");
            }
            (false, true) => wrong.add_missing("url", "is missing, but a secret is set"),
            _ => {}
        }
        Some(Webhook { url: url?, secret: secret?, rules })
    }
}

fn check_secret(
    given: Option<SecretString>,
    file: Option<RelativePathBuf>,
    wrong: &mut InSection<'_>,
) -> Option<WebhookSecret> {
    match (given, file) {
        (Some(_), Some(_)) => {
            wrong.add("secret", "set secret or secret_file, not both");
            None
        }
        (Some(secret), None) => {
            let fault = match WebhookKeys::of(secret.clone()) {
                Ok(_) => return Some(WebhookSecret::Given(secret)),
                Err(WebhookSecretError::NotBase64) => NOT_BASE64,
                Err(_) => TOO_SHORT,
            };
            wrong.add("secret", fault);
            None
        }
        (None, file) => file.map(|path| WebhookSecret::File(path.relative())),
    }
}

/// Any host is accepted, also loopback and private ones: the operator knows where the receiver is.
fn check_url(text: &str) -> Result<WebhookUrl, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL like https://app.example/events")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or a password: the signature shows who calls");
    }
    Ok(WebhookUrl(url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::mistakes::{Mistake, Mistakes};

    const SECRET: &str = "0123456789abcdef";

    fn raw(url: &str, secret: &str) -> RawWebhook {
        RawWebhook { url: Some(url.into()), secret: Some(secret.into()), ..RawWebhook::default() }
    }

    fn checked(raw: RawWebhook) -> Result<Option<Webhook>, Vec<Mistake>> {
        let mut wrong = Mistakes::default();
        let webhook = raw.check(&mut wrong.section("webhook"));
        let wrong: Vec<_> = wrong.all(true).into_iter().cloned().collect();
        if wrong.is_empty() { Ok(webhook) } else { Err(wrong) }
    }

    #[test]
    fn without_a_url_there_is_no_webhook_and_with_one_the_documented_defaults_hold() {
        assert!(matches!(checked(RawWebhook::default()), Ok(None)));
        let webhook = checked(raw("http://127.0.0.1:8080/hook", SECRET)).unwrap().unwrap();
        assert_eq!(webhook.rules.max_concurrent, 32);
        assert_eq!(webhook.rules.timeout.as_secs(), 10);
        assert_eq!(webhook.rules.give_up_after.as_secs(), 24 * 3600);
    }

    #[test]
    fn every_mistake_names_its_key() {
        let both = RawWebhook { secret_file: Some("s".into()), ..raw("https://a.example", SECRET) };
        let no_secret = RawWebhook { secret: None, ..raw("https://a.example", SECRET) };
        let no_url = RawWebhook { url: None, ..raw("", SECRET) };
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
            (upside_down, "webhook.longest_retry"),
        ] {
            assert_eq!(checked(raw).unwrap_err()[0].key, key);
        }
    }

    #[test]
    fn whoever_reads_the_log_learns_neither_secret_nor_query() {
        let webhook = checked(raw("https://a.example/hook?key=hunter2", SECRET)).unwrap().unwrap();
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
