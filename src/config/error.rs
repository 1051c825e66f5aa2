//! Errors of the configuration, for the operator who wrote it: the key, the reason, and the place.

use std::io;
use std::path::{Path, PathBuf};

use figment::error::{Actual, Kind};
use figment::{Metadata, Source};

use super::environment;
use super::files::{FileError, Refused, show_path};
use super::syntax::line_of;

/// An error of the configuration. Each names the file, key or variable that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("cannot read {}: {error}", show_path(path))]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: FileError,
    },
    /// A file is not TOML, or `relays.toml` is wrong.
    #[error("{}: {reason}", show_path(path))]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// The configuration does not have the right shape.
    #[error("{}", in_our_words(.0))]
    Malformed(Box<figment::Error>),
    /// A secret is in a file that others can read.
    #[error("cannot use {key} in {}: {error}", show_path(path))]
    Exposed {
        /// The key of the secret.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Refused,
    },
    /// A flag, or a variable that is not a key of Portico, has a value that cannot be used.
    #[error("{variable}: {reason}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// A key has a value that cannot be used.
    #[error("{key}: {reason}{place}")]
    Invalid {
        /// The key, as `section.key`.
        key: String,
        /// What is wrong with its value.
        reason: String,
        /// The place of the value, as `" (in …)"`; empty for a default.
        place: String,
    },
    /// Several mistakes.
    #[error("{}", one_a_line(.0))]
    Several(Vec<ConfigError>),
}

impl ConfigError {
    /// The file does not exist.
    pub(super) fn missing(path: &Path) -> Self {
        let error = io::Error::new(io::ErrorKind::NotFound, "the file does not exist").into();
        Self::Unreadable { path: path.to_owned(), error }
    }
}

/// The number of mistakes, and each on a line of its own.
fn one_a_line(errors: &[ConfigError]) -> String {
    let mut text = format!("the configuration has {} mistakes:", errors.len());
    for error in errors {
        text.push_str(&format!("\n  {error}"));
    }
    text
}

/// The place of a value, as `" (in …)"`. Only files have a source of their own.
pub(super) fn place(metadata: Option<&Metadata>, key: &str) -> String {
    match metadata.map(|metadata| &metadata.source) {
        None => String::new(),
        Some(Some(Source::File(path))) => {
            let line = std::fs::read_to_string(path).ok().and_then(|text| line_of(&text, key));
            let line = line.map_or_else(String::new, |line| format!(", line {line}"));
            format!(" (in {}{line})", show_path(path))
        }
        Some(Some(other)) => format!(" (in {other})"),
        Some(None) => format!(" (in the environment, as {})", environment::variable(key)),
    }
}

/// `section.key: what is wrong (where)`, the first of several.
fn in_our_words(error: &figment::Error) -> String {
    // The type of paths adds a part to the key that nobody wrote.
    let written: Vec<_> =
        error.path.iter().filter(|part| !part.starts_with("___")).map(String::as_str).collect();
    let key = written.join(".").to_lowercase();
    let place = place(error.metadata.as_ref(), &key);
    let reason = match &error.kind {
        kind if lists_relays(&key, kind) => {
            "the list of relays has its own file, relays.toml, with one [[relay]] and its url for each".into()
        }
        Kind::UnknownField(_, known) => format!("unknown key; known keys: {}", known.join(", ")),
        Kind::UnknownVariant(found, known) => format!("must be {}, but is {found:?}", known.join(" or ")),
        // Without the value: it may be a secret that looks like a number.
        Kind::InvalidType(found, wanted) => format!("must be {}, but is {}", described(wanted), kind(found)),
        Kind::InvalidValue(found, wanted) => {
            format!("must be {}, but is {}", described(wanted), shown(found))
        }
        kind => kind.to_string().replace('`', ""),
    };
    format!("{key}: {reason}{place}")
}

/// Whether somebody listed relays here; `[relays]` contains limits for relays.
fn lists_relays(key: &str, kind: &Kind) -> bool {
    match (key.split_once('.'), kind) {
        (None, Kind::UnknownField(..)) => key == "relay",
        (None, Kind::InvalidType(..)) => key == "relays",
        // An element of a list.
        (Some((section, field)), Kind::InvalidType(..)) => {
            section == "relays" && field.parse::<usize>().is_ok()
        }
        (Some((section, field)), Kind::UnknownField(..)) => {
            section == "relays" && ["url", "urls", "read", "write", "relay"].contains(&field)
        }
        _ => false,
    }
}

fn kind(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "text",
        Actual::Seq => "a list",
        Actual::Map => "a section",
        _ => "something else",
    }
}

fn shown(found: &Actual) -> String {
    match found {
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Str(text) => format!("{text:?}"),
        other => kind(other).into(),
    }
}

/// The type that a library expects, in words.
pub(super) fn described(wanted: &str) -> &str {
    match wanted {
        "usize" | "u64" | "u32" => "a whole number of at least 0, without quotes",
        "a boolean" => "true or false, without quotes",
        "a string" | "path string" => "text in quotes",
        "a sequence" => "a list in square brackets, like [1, 2] or [\"a\", \"b\"]",
        "a duration" => "a duration in quotes, like \"90s\", \"5m\" or \"30days\"",
        section if section.starts_with("struct ") => "a section",
        other => other,
    }
}
