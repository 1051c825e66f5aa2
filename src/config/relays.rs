//! `relays.toml`: the operator's relays.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::Serialized;
use nostr_sdk::RelayUrl;
use nostr_sdk::types::url::Error as NoRelayUrl;
use serde::Deserialize;

use super::document::{self, Fault, line_of};
use super::error::Place;
use super::portal::{PortalSettings, keys};
use super::shape::{Mask, Masked};
use super::syntax::in_relays;
use super::{ConfigError, shape, wording};
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

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    relay: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Entry {
    url: Option<String>,
    read: bool,
    write: bool,
}

impl Default for Entry {
    fn default() -> Self {
        Self { url: None, read: true, write: true }
    }
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
    let (mut relays, mut wrong) = (Vec::<RelayEntry>::with_capacity(list.len()), Vec::new());
    for text in list {
        match relay_url(text) {
            Ok(url) if relays.iter().all(|known| known.url != url) => {
                relays.push(RelayEntry { url, read: true, write: true });
            }
            Ok(_) => {}
            Err(error) => wrong.push(portal.invalid(keys::RELAYS, error.to_string(), None)),
        }
    }
    match ConfigError::of_all(wrong) {
        Some(error) => Err(error),
        None => Ok(Some((relays, RelaySource::Environment(variable.to_owned())))),
    }
}

/// The relays that Portal's app connects to by itself, as it writes them.
const APP_RELAYS: [&str; 4] =
    ["wss://relay.getportal.cc", "wss://relay.damus.io", "wss://nos.lol", "wss://offchain.pub"];

/// How Portal's app gets along with these relays, if a login over them is slow or fails. The app answers a login URL only
/// over a relay that it is connected to already. It disconnects the others of the URL after the scan, and then waits 10 s
/// for them whenever it sends. Relays without TLS are for tests: no app connects to them.
pub fn advice(relays: &[RelayEntry]) -> Option<String> {
    let named = relays.iter().filter(|relay| relay.read && relay.write);
    let (known, other): (Vec<_>, Vec<_>) =
        named.map(|relay| &relay.url).partition(|url| APP_RELAYS.contains(&url.as_str()));
    if other.iter().all(|url| url.as_str().starts_with("ws://")) {
        return None;
    }
    let app = APP_RELAYS.join(", ");
    if known.is_empty() {
        return Some(format!(
            "Portal's app can log in only if its user has added one of these relays in the app; by itself, it connects to \
             {app}"
        ));
    }
    let other: Vec<_> = other.into_iter().map(shown::relay).collect();
    Some(format!(
        "logins with Portal's app take up to 10 s longer because of {}: by itself, the app connects only to {app}",
        other.join(", ")
    ))
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
    if url.fragment().is_some() {
        return Err(NotARelay::Fragment(shown()));
    }
    // Wallets compare relays letter by letter, and write a host without a path without the slash.
    let has_no_path = url.path() == "/" && url.query().is_none();
    match has_no_path.then(|| RelayUrl::parse(relay.as_str_without_trailing_slash())) {
        Some(Ok(bare)) => Ok(bare),
        _ => Ok(relay),
    }
}

fn parse(text: &str, path: &Path) -> Result<Vec<RelayEntry>, ConfigError> {
    let line = |(line, reason): Fault| ConfigError::Line { reason, place: Place::line(path, Some(line)) };
    let (dict, faults) = document::parse(text);
    let layers = |mask: &Mask| {
        let layer = Serialized::defaults(&dict);
        Figment::from(Masked { layer, mask, is_environment: false })
    };
    let (file, misfits) = shape::read::<File>(layers, Mask::default());
    if (!faults.is_empty() || !misfits.is_empty())
        && let Some(fault) = in_relays(text)
    {
        return Err(line(fault));
    }
    let at = |key: &str| Place::line(path, line_of(text, key));
    let mut wrong: Vec<_> = faults.into_iter().map(line).collect();
    let is_sound = wrong.is_empty();
    let is_whole = misfits.is_empty();
    wrong.extend(misfits.into_iter().map(|misfit| {
        let reason = wording::reason(&misfit, false);
        let place = at(&misfit.key);
        ConfigError::Invalid { key: misfit.key, reason, place }
    }));
    let mut relays: Vec<RelayEntry> = Vec::with_capacity(file.relay.len());
    for (number, entry) in file.relay.into_iter().enumerate() {
        let key = format!("relay.{number}.url");
        match check_entry(entry, &relays) {
            Ok(Some(relay)) => relays.push(relay),
            Ok(None) if is_sound && is_whole => {
                let (reason, place) = ("is missing".into(), at(&key));
                wrong.push(ConfigError::Invalid { key, reason, place });
            }
            Ok(None) => {}
            Err(reason) => wrong.push(ConfigError::Line { reason, place: at(&key) }),
        }
    }
    ConfigError::of_all(wrong).map_or(Ok(relays), Err)
}

/// The relay of an entry; `None`: its URL is missing.
fn check_entry(entry: Entry, earlier: &[RelayEntry]) -> Result<Option<RelayEntry>, String> {
    let Some(url) = entry.url else { return Ok(None) };
    let url = relay_url(&url).map_err(|error| error.to_string())?;
    if earlier.iter().any(|known| known.url == url) {
        return Err(format!("{} is listed twice", shown::relay(&url)));
    }
    if !entry.read && !entry.write {
        return Err(format!(
            "{} has read and write set to false: remove it, or set one to true",
            shown::relay(&url)
        ));
    }
    Ok(Some(RelayEntry { url, read: entry.read, write: entry.write }))
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
    fn the_slash_of_an_empty_path_is_dropped_because_wallets_compare_letter_by_letter() {
        for (given, kept) in [
            ("wss://nos.lol/", "wss://nos.lol"),
            ("WSS://NOS.LOL/", "wss://nos.lol"),
            ("wss://nos.lol", "wss://nos.lol"),
            ("wss://relay.example/nostr/", "wss://relay.example/nostr/"),
            ("wss://relay.example:444/", "wss://relay.example:444"),
            ("wss://relay.example/?key=1", "wss://relay.example/?key=1"),
        ] {
            assert_eq!(relay_url(given).unwrap().to_string(), kept, "{given}");
        }
        let twice = "[[relay]]\nurl = \"wss://nos.lol/\"\n[[relay]]\nurl = \"wss://nos.lol\"\n";
        assert!(parsed(twice).unwrap_err().contains("listed twice"));
    }

    #[test]
    fn the_operator_is_told_how_portals_app_gets_along_with_the_relays() {
        let list = |urls: &[&str]| {
            let text: String = urls.iter().map(|url| format!("[[relay]]\nurl = \"{url}\"\n")).collect();
            advice(&parsed(&text).unwrap())
        };
        assert_eq!(advice(&parsed(DEFAULT).unwrap()), None);
        assert_eq!(list(&["ws://127.0.0.1:7000"]), None);
        assert_eq!(list(&["wss://nos.lol/", "ws://127.0.0.1:7000"]), None);
        assert_eq!(list(&[]), None);
        let some = list(&["wss://nos.lol", "wss://relay.example"]).unwrap();
        assert!(some.contains("10 s longer because of wss://relay.example:"), "{some}");
        let none = list(&["wss://relay.example"]).unwrap();
        assert!(none.contains("only if its user has added one of these relays"), "{none}");
        let only_read = parsed("[[relay]]\nurl = \"wss://relay.example\"\nwrite = false\n").unwrap();
        assert_eq!(advice(&only_read), None);
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
            assert!(error.contains("[redacted]") && error.ends_with(" (in relays.toml, line 3)"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(parsed("[[relay]]\nurl = \"wss://host/?key=hunter2\"").unwrap().len(), 1);
    }

    #[test]
    fn each_mistake_is_named_with_its_line() {
        for (text, told) in [
            (
                "[[relay]]\nurl = \"http://x\"",
                "\"http://x/\" is not a relay URL like wss://relay.example: it must begin with wss:// or ws:// (in relays.toml, line 2)",
            ),
            (
                "[[relay]]\nurl = \"wss://a.b/#x\"",
                "\"wss://a.b/[redacted]\": a relay URL must not contain a fragment (in relays.toml, line 2)",
            ),
            (
                "[[relay]]\nurl = \"wss://a.b\"\n[[relay]]\nurl = \"wss://a.b/\"",
                "wss://a.b is listed twice (in relays.toml, line 4)",
            ),
            (
                "[[relay]]\nurl = \"wss://a.b\"\nread = false\nwrite = false",
                "wss://a.b has read and write set to false: remove it, or set one to true (in relays.toml, line 2)",
            ),
            (
                "[[relay]]\nurl = \"wss://a.b\"\nraed = false",
                "relay.raed (entry 1): unknown key: did you mean read? (in relays.toml, line 3)",
            ),
            (
                "[[relay]]\nurl = \"wss://a.b\"\n[[relay]]\nread = 1",
                "relay.read (entry 2): must be true or false, without quotes, but is a number (in relays.toml, line 4)",
            ),
            ("\n[[relay]]\nread = true", "relay.url (entry 1): is missing (in relays.toml, line 2)"),
            (
                "[[rely]]\nurl = \"wss://a.b\"",
                "rely: unknown key: did you mean relay? (in relays.toml, line 1)",
            ),
            ("\n[relay]\nurl = \"wss://a.b\"", "write [[relay]], with two brackets (in relays.toml, line 2)"),
            (
                "[relay] # one\nurl = \"wss://a.b\"\n[relay]",
                "write [[relay]], with two brackets (in relays.toml, line 1)",
            ),
            ("[[relays]]\nurl = \"wss://a.b\"", "write [[relay]], without s (in relays.toml, line 1)"),
            (
                "[relays]\nurl = \"wss://a.b\"",
                "write [[relay]], with two brackets and without s (in relays.toml, line 1)",
            ),
            (
                "relays = [\"wss://a.b\"]",
                "write each relay as [[relay]], with its url in the next line (in relays.toml, line 1)",
            ),
            (
                "relay = \"wss://a.b\"",
                "write each relay as [[relay]], with its url in the next line (in relays.toml, line 1)",
            ),
        ] {
            assert_eq!(parsed(text).unwrap_err(), told);
        }
    }

    #[test]
    fn all_mistakes_in_a_list_are_told_at_once_in_the_order_of_their_lines() {
        let text = "[[relay]]\nurl = \"http://x\"\n[[relay]]\nurl = wss://a.b\n[[relay]]\nurl = \"wss://c.d\"\nwrit = true\n";
        assert_eq!(
            parsed(text).unwrap_err(),
            "the configuration has 3 mistakes:\n  \
             \"http://x/\" is not a relay URL like wss://relay.example: it must begin with wss:// or ws:// (in relays.toml, line 2)\n  \
             url: write text in quotes, like \"…\" (in relays.toml, line 4)\n  \
             relay.writ (entry 3): unknown key: did you mean write? (in relays.toml, line 7)"
        );
    }
}
