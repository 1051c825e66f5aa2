//! Why there is no valid configuration, in words for whoever wrote it: which key, what is wrong, and where it stands.

use std::io;
use std::path::{Path, PathBuf};

use figment::error::{Actual, Kind};
use figment::{Metadata, Source};

use super::environment;
use super::files::{FileError, Refused, show_path};
use super::mistake::line_of;

/// Why there is no valid configuration. Each names the file, key or variable that is wrong.
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
    /// A file is no TOML, or `relays.toml` is wrong.
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
    /// A secret stands in a file that others can read.
    #[error("cannot use {key} in {}: {error}", show_path(path))]
    Exposed {
        /// The key of the secret.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Refused,
    },
    /// A variable that is not one of ours has a value that cannot be used.
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
        key: &'static str,
        /// What is wrong with its value.
        reason: String,
        /// Where the value stands, as `" (in …)"`; empty for a default.
        place: String,
    },
}

impl ConfigError {
    /// There is no such file.
    pub(super) fn missing(path: &Path) -> Self {
        let error = io::Error::new(io::ErrorKind::NotFound, "there is no such file").into();
        Self::Unreadable { path: path.to_owned(), error }
    }

    /// The same error, with the place of its key.
    pub(super) fn found_in(mut self, place_of: impl Fn(&str) -> String) -> Self {
        if let Self::Invalid { key, place, .. } = &mut self {
            *place = place_of(key);
        }
        self
    }
}

/// Where a value stands, as `" (in …)"`. Only files have a source of their own.
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
    // A path is read by way of a part that nobody has written.
    let written: Vec<_> =
        error.path.iter().filter(|part| !part.starts_with("___")).map(String::as_str).collect();
    let key = written.join(".").to_lowercase();
    let place = place(error.metadata.as_ref(), &key);
    let reason = match &error.kind {
        kind if lists_relays(&key, kind) => {
            "the list of relays is a file of its own, relays.toml, with [[relay]] and url for each".into()
        }
        Kind::UnknownField(_, known) => format!("there is no such key; there are {}", known.join(", ")),
        Kind::UnknownVariant(found, known) => format!("is {found:?}, and must be {}", known.join(" or ")),
        // Not what it is: it may be a secret that looks like a number.
        Kind::InvalidType(found, wanted) => format!("is {}, and must be {}", kind(found), described(wanted)),
        Kind::InvalidValue(found, wanted) => {
            format!("is {}, and must be {}", shown(found), described(wanted))
        }
        kind => kind.to_string().replace('`', ""),
    };
    format!("{key}: {reason}{place}")
}

/// Whether somebody wrote relays here; `[relays]` holds rules for them.
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

/// What a library calls by its name in Rust.
pub(super) fn described(wanted: &str) -> &str {
    match wanted {
        "usize" | "u64" | "u32" => "a whole number that is not negative, without quotes",
        "a boolean" => "true or false, without quotes",
        "a string" | "path string" => "text in quotes",
        "a sequence" => "a list in square brackets, like [1, 2] or [\"a\", \"b\"]",
        "a duration" => "a time in quotes, like \"90s\", \"5m\" or \"30days\"",
        section if section.starts_with("struct ") => "a section",
        other => other,
    }
}
