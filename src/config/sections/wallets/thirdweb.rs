//! `[wallets.thirdweb]`: which tokens of thirdweb are accepted, and how they are issued.

use std::path::PathBuf;
use std::time::Duration;

use figment::value::magic::RelativePathBuf;
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::bounds::{LONGEST, MANY, Number, SECOND};
use crate::config::files::{self, FileError, show_path};
use crate::config::mistakes::InSection;
use crate::ethereum::{Address, NotAKey, SigningKey};

/// `[wallets.thirdweb]`: tokens of thirdweb.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThirdwebRules {
    /// The domain of the tokens (`aud`), compared exactly. No default.
    pub domain: String,
    /// Tokens of these admin wallets are accepted, and those of `admin_key_file`.
    pub admin_addresses: Vec<Address>,
    /// The file with the key of an admin wallet, 64 hex digits: Portico issues tokens with it.
    #[serde(deserialize_with = "relative")]
    #[serde(serialize_with = "files::serialize_optional_path")]
    pub admin_key_file: Option<PathBuf>,
    /// How far in the future `nbf` and `iat` may lie. Default 60 seconds.
    #[serde(with = "crate::config::duration")]
    pub leeway: Duration,
    /// The lifetime of an issued token, unless the caller gives one. Default 3 days.
    #[serde(with = "crate::config::duration")]
    pub token_lifetime: Duration,
    /// Sign-in: the text that users read in their wallet. Default: thirdweb's own text.
    pub statement: String,
    /// The URL where users log in. Default: the domain.
    pub uri: Option<String>,
    /// The version of the text that they sign. Default 1.
    pub version: String,
    /// Chains that they may sign for; the first if the caller names none. Default: any chain, and no chain.
    pub chain_ids: Vec<u64>,
    /// Resources in the text that they sign. Default: none.
    pub resources: Vec<String>,
    /// How long they have to sign. Default 10 minutes.
    #[serde(with = "crate::config::duration")]
    pub payload_lifetime: Duration,
    /// Texts that wait for a signature. Default 100,000.
    pub max_open_payloads: usize,
}

impl Default for ThirdwebRules {
    fn default() -> Self {
        Self {
            domain: String::new(),
            admin_addresses: Vec::new(),
            admin_key_file: None,
            leeway: Duration::from_secs(60),
            token_lifetime: Duration::from_secs(3 * 24 * 3600),
            statement: "Please ensure that the domain above matches the URL of the current website.".into(),
            uri: None,
            version: "1".into(),
            chain_ids: Vec::new(),
            resources: Vec::new(),
            payload_lifetime: Duration::from_secs(10 * 60),
            max_open_payloads: 100_000,
        }
    }
}

/// A path from the folder of the file that names it.
fn relative<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let path = Option::<RelativePathBuf>::deserialize(from)?;
    Ok(path.map(|path| path.relative()))
}

/// The reason why the key of the admin wallet cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AdminKeyError {
    /// The file cannot be read or trusted.
    #[error("wallets.thirdweb.admin_key_file: cannot use the key in {}: {error}", show_path(path))]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: FileError,
    },
    /// The file does not exist.
    #[error("wallets.thirdweb.admin_key_file: the file {} does not exist", show_path(.0))]
    Missing(PathBuf),
    /// The content of the file is not a key.
    #[error("wallets.thirdweb.admin_key_file: cannot use the key in {}: {NotAKey}", show_path(.0))]
    Malformed(PathBuf),
}

impl ThirdwebRules {
    /// The key of the admin wallet, if one is configured.
    ///
    /// # Errors
    /// [`AdminKeyError`].
    pub fn admin_key(&self) -> Result<Option<SigningKey>, AdminKeyError> {
        let Some(path) = &self.admin_key_file else { return Ok(None) };
        let read =
            files::read_secret(path).map_err(|error| AdminKeyError::File { path: path.clone(), error })?;
        let text = read.ok_or_else(|| AdminKeyError::Missing(path.clone()))?;
        SigningKey::parse(&text).map(Some).map_err(|_| AdminKeyError::Malformed(path.clone()))
    }

    /// Its numbers, with their bounds.
    pub(super) fn numbers(&self) -> Vec<Number> {
        vec![
            Number::time("leeway", self.leeway, Duration::ZERO..=LONGEST),
            // Tokens count time in whole seconds.
            Number::time("token_lifetime", self.token_lifetime, SECOND..=LONGEST),
            Number::time("payload_lifetime", self.payload_lifetime, SECOND..=LONGEST),
            Number::count("max_open_payloads", self.max_open_payloads, 1..=MANY),
        ]
    }

    /// Checks the values. A token lasts no longer than `max_issued`.
    pub(super) fn check(&self, max_issued: Duration, wrong: &mut InSection<'_>) {
        if self.domain.is_empty() {
            wrong.add_missing("domain", "is missing: set the domain of your app, like \"example.com\"");
        } else if !self.domain.bytes().all(|byte| byte.is_ascii_graphic()) {
            wrong.add("domain", "must be the domain of your app, like \"example.com\"");
        }
        if self.admin_addresses.is_empty() && self.admin_key_file.is_none() && !wrong.has("admin_key_file") {
            wrong
                .add_missing("admin_addresses", "must name at least one admin wallet, or set admin_key_file");
        }
        if self.token_lifetime > max_issued {
            wrong.add("token_lifetime", "must be at most tokens.max_issued_lifetime");
        }
        let is_line = |text: &String| !text.is_empty() && !text.chars().any(char::is_control);
        for (key, holds) in [
            ("statement", is_line(&self.statement)),
            ("uri", self.uri.iter().all(is_line)),
            ("version", is_line(&self.version)),
            ("resources", self.resources.iter().all(is_line)),
        ] {
            if !holds {
                wrong.add(key, "must be one line each, and not empty");
            }
        }
    }
}
