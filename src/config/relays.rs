//! `relays.toml`: the operator's relays.

use std::path::{Path, PathBuf};

use nostr_sdk::RelayUrl;
use nostr_sdk::types::url::Error as NoRelayUrl;
use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::portal::{PortalSettings, keys};
use super::syntax::{in_relays, in_toml};
use crate::shown;

/// The built-in list, for when no other list exists.
const DEFAULT: &str = include_str!("../../relays.toml");

/// One of the operator's relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayEntry {
    /// `wss://…` or `ws://…`.
    pub url: RelayUrl,
    /// Whether Portico subscribes there, and receives answers.
    pub read: bool,
    /// Whether Portico publishes challenges there.
    pub write: bool,
}

/// The source of the list of relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelaySource {
    /// A file.
    File(PathBuf),
    /// This variable of Portal's own daemon.
    Environment(String),
    /// The built-in list.
    BuiltIn,
}

impl std::fmt::Display for RelaySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.write_str(&super::files::show_path(path)),
            Self::Environment(variable) => f.write_str(variable),
            Self::BuiltIn => f.write_str("built in"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    relay: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: Spanned<String>,
    #[serde(default = "yes")]
    read: bool,
    #[serde(default = "yes")]
    write: bool,
}

fn yes() -> bool {
    true
}

impl RelaySource {
    /// Reads the list again from its file. A `relays.toml` in the working folder takes precedence over the built-in
    /// list.
    ///
    /// # Errors
    /// [`ConfigError`]: the file cannot be read, or its content is wrong.
    pub fn reload(&self) -> Result<(Vec<RelayEntry>, Self), ConfigError> {
        let portal = PortalSettings::in_environment()?;
        match self {
            Self::File(path) => load(Some(path), &portal),
            Self::Environment(_) | Self::BuiltIn => load(None, &portal),
        }
    }
}

/// Reads the named file, else `relays.toml` in the working folder, else Portal's variable, else the built-in list.
pub(super) fn load(
    named: Option<&Path>,
    portal: &PortalSettings,
) -> Result<(Vec<RelayEntry>, RelaySource), ConfigError> {
    let path = match named {
        Some(path) => path.to_owned(),
        None if Path::new("relays.toml").exists() => PathBuf::from("relays.toml"),
        None => {
            return match given(portal)? {
                Some(given) => Ok(given),
                None => Ok((parse(DEFAULT, Path::new("(built in)"))?, RelaySource::BuiltIn)),
            };
        }
    };
    let read = super::files::read_config(&path);
    let read = read.map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
    let read = read.ok_or_else(|| ConfigError::missing(&path))?;
    Ok((parse(&read.text, &path)?, RelaySource::File(path)))
}

/// The relays that Portal's variable names. A relay that is named twice counts once.
fn given(portal: &PortalSettings) -> Result<Option<(Vec<RelayEntry>, RelaySource)>, ConfigError> {
    let (Some(variable), Some(list)) = (portal.variable(keys::RELAYS), &portal.relays) else {
        return Ok(None);
    };
    let mut relays: Vec<RelayEntry> = Vec::with_capacity(list.len());
    for text in list {
        let url = relay_url(text).map_err(|error| portal.invalid(keys::RELAYS, error.to_string(), None))?;
        if relays.iter().all(|known| known.url != url) {
            relays.push(RelayEntry { url, read: true, write: true });
        }
    }
    Ok(Some((relays, RelaySource::Environment(variable.to_owned()))))
}

/// The text is not a relay URL that Portico can use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARelay {
    /// It is not a WebSocket URL: the part that may be shown, and the reason.
    #[error("{0:?} is not a relay URL like wss://relay.example: {1}")]
    Malformed(String, &'static str),
    /// It contains a user or a password. Everybody who logs in would see it.
    #[error("{0:?}: a relay URL must not contain a user or a password")]
    Credentials(String),
    /// It has a fragment, which a WebSocket cannot send (RFC 6455 §3).
    #[error("{0:?}: a relay URL must not contain a fragment")]
    Fragment(String),
}

/// Reads a relay URL.
///
/// # Errors
/// [`NotARelay`].
pub fn relay_url(text: &str) -> Result<RelayUrl, NotARelay> {
    let shown = || shown::refused(text);
    let relay = RelayUrl::parse(text).map_err(|error| {
        let why = match error {
            NoRelayUrl::Url(error) => shown::fault(error),
            NoRelayUrl::UnsupportedScheme => "it must begin with wss:// or ws://",
            NoRelayUrl::MultipleSchemeSeparators => "it contains :// more than once",
        };
        NotARelay::Malformed(shown(), why)
    })?;
    let url: &nostr_sdk::Url = (&relay).into();
    let is_bare = url.username().is_empty() && url.password().is_none();
    if !is_bare {
        return Err(NotARelay::Credentials(shown()));
    }
    if url.fragment().is_some() { Err(NotARelay::Fragment(shown())) } else { Ok(relay) }
}

fn parse(text: &str, path: &Path) -> Result<Vec<RelayEntry>, ConfigError> {
    let invalid = |reason: String| ConfigError::File { path: path.to_owned(), reason };
    let file: File = toml::from_str(text)
        .map_err(|error| invalid(in_relays(text).unwrap_or_else(|| in_toml(text, &error))))?;
    let mut relays: Vec<RelayEntry> = Vec::with_capacity(file.relay.len());
    for entry in file.relay {
        let url = relay_url(entry.url.get_ref()).map_err(|error| {
            let line = text.get(..entry.url.span().start).unwrap_or_default().matches('\n').count() + 1;
            invalid(format!("line {line}: {error}"))
        })?;
        if relays.iter().any(|known| known.url == url) {
            return Err(invalid(format!("{} is listed twice", shown::relay(&url))));
        }
        if !entry.read && !entry.write {
            return Err(invalid(format!(
                "{} has read and write set to false: remove it, or set one to true",
                shown::relay(&url)
            )));
        }
        relays.push(RelayEntry { url, read: entry.read, write: entry.write });
    }
    Ok(relays)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<RelayEntry>, String> {
        parse(text, Path::new("relays.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_built_in_list_is_valid_and_not_empty() {
        assert!(parsed(DEFAULT).unwrap().len() >= 3);
    }

    #[test]
    fn read_and_write_default_to_true() {
        let relays = parsed("[[relay]]\nurl = \"ws://127.0.0.1:7000\"\n").unwrap();
        assert!(relays[0].read && relays[0].write);
    }

    #[test]
    fn a_relay_with_a_user_is_refused_and_its_password_is_not_repeated() {
        for url in [
            "ws://user:hunter2@host",
            "wss://hunter2@host/path",
            "wss://:hunter2@host",
            "https://user:hunter2@host",
            "wss://user:hunter2@ho st",
            "user:hunter2@host",
            "wss://[hunter2",
            "wss://[hunter2]",
            "wss://h.example:99999/hunter2",
            "wss://user\\uff1ahunter2\\uff20h.example",
            "https://h.example/hunter2",
            "wss://h.example/hunter2?x=wss://h.example",
        ] {
            let error = parsed(&format!("\n[[relay]]\nurl = \"{url}\"")).unwrap_err();
            assert!(error.contains("line 3: ") && error.contains("[redacted]"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(parsed("[[relay]]\nurl = \"wss://host/?key=hunter2\"").unwrap().len(), 1);
    }

    #[test]
    fn a_bad_entry_is_named_in_the_error() {
        for (text, word) in [
            ("[[relay]]\nurl = \"http://x\"", "http://x"),
            (
                "[[relay]]\nurl = \"wss://a.b/#x\"",
                "line 2: \"wss://a.b/[redacted]\": a relay URL must not contain a fragment",
            ),
            ("[[relay]]\nurl = \"wss://a.b\"\n[[relay]]\nurl = \"wss://a.b/\"", "twice"),
            (
                "[[relay]]\nurl = \"wss://a.b\"\nread = false\nwrite = false",
                "has read and write set to false",
            ),
            ("[[relay]]\nurl = \"wss://a.b\"\nraed = false", "raed"),
            ("[[rely]]\nurl = \"wss://a.b\"", "rely"),
            ("\n[relay]\nurl = \"wss://a.b\"", "line 2: write [[relay]], with two brackets"),
            ("[relay] # one\nurl = \"wss://a.b\"\n[relay]", "line 1: write [[relay]], with two brackets"),
            ("[[relays]]\nurl = \"wss://a.b\"", "line 1: write [[relay]], without s"),
            ("[relays]\nurl = \"wss://a.b\"", "with two brackets and without s"),
            ("relays = [\"wss://a.b\"]", "line 1: write each relay as [[relay]]"),
            ("relay = \"wss://a.b\"", "line 1: write each relay as [[relay]]"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
