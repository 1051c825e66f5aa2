//! `relays.toml`: the relays that the operator chose.

use std::path::{Path, PathBuf};

use nostr_sdk::RelayUrl;
use serde::Deserialize;

use super::ConfigError;
use super::error::in_toml;

/// The file that comes with the source, built in for when there is none.
const DEFAULT: &str = include_str!("../../relays.toml");

/// One relay of the operator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayEntry {
    /// `wss://…` or `ws://…`.
    pub url: RelayUrl,
    /// Whether answers are received there.
    pub read: bool,
    /// Whether challenges are published there.
    pub write: bool,
}

/// Where the list of relays came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelaySource {
    /// A file.
    File(PathBuf),
    /// The list that is built into the program.
    BuiltIn,
}

impl std::fmt::Display for RelaySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
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
    url: String,
    #[serde(default = "yes")]
    read: bool,
    #[serde(default = "yes")]
    write: bool,
}

fn yes() -> bool {
    true
}

impl RelaySource {
    /// Reads the list again, from the file that it came from; the built-in one gives way to a `relays.toml` in
    /// the working folder.
    ///
    /// # Errors
    /// [`ConfigError`]: the file cannot be read, or what stands in it is wrong.
    pub fn reload(&self) -> Result<(Vec<RelayEntry>, Self), ConfigError> {
        match self {
            Self::File(path) => load(Some(path)),
            Self::BuiltIn => load(None),
        }
    }
}

/// Reads the named file, else `relays.toml` of the working folder, else the built-in list.
pub(super) fn load(named: Option<&Path>) -> Result<(Vec<RelayEntry>, RelaySource), ConfigError> {
    let path = match named {
        Some(path) => path.to_owned(),
        None if Path::new("relays.toml").exists() => PathBuf::from("relays.toml"),
        None => return Ok((parse(DEFAULT, Path::new("(built in)"))?, RelaySource::BuiltIn)),
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
    Ok((parse(&text, &path)?, RelaySource::File(path)))
}

/// This is not the address of a relay.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a relay URL like wss://relay.example")]
pub struct NotARelay(String);

/// The address of a relay, as people write it.
///
/// # Errors
/// [`NotARelay`]: it is none.
pub fn relay_url(text: &str) -> Result<RelayUrl, NotARelay> {
    RelayUrl::parse(text).map_err(|_| NotARelay(text.into()))
}

fn parse(text: &str, path: &Path) -> Result<Vec<RelayEntry>, ConfigError> {
    let invalid = |reason: String| ConfigError::File { path: path.to_owned(), reason };
    let file: File = toml::from_str(text).map_err(|error| invalid(in_toml(text, &error)))?;
    let mut relays: Vec<RelayEntry> = Vec::with_capacity(file.relay.len());
    for entry in file.relay {
        let url = relay_url(&entry.url).map_err(|error| invalid(error.to_string()))?;
        if relays.iter().any(|known| known.url == url) {
            return Err(invalid(format!("{url} is listed twice")));
        }
        if !entry.read && !entry.write {
            return Err(invalid(format!("{url} is neither read nor written: remove it")));
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
    fn a_bad_entry_is_named_in_the_error() {
        for (text, word) in [
            ("[[relay]]\nurl = \"http://x\"", "http://x"),
            ("[[relay]]\nurl = \"wss://a.b\"\n[[relay]]\nurl = \"wss://a.b/\"", "twice"),
            ("[[relay]]\nurl = \"wss://a.b\"\nread = false\nwrite = false", "neither"),
            ("[[relay]]\nurl = \"wss://a.b\"\nraed = false", "raed"),
            ("[[rely]]\nurl = \"wss://a.b\"", "rely"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
