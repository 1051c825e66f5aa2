//! Errors of the configuration, for the operator who wrote it: the key, the reason, and the place.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{FileError, Refused, show_path};
use crate::quoted::one_line;

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
    #[error("{}: {reason}{place}", shown_key(key))]
    Invalid {
        /// The key, as `section.key`. An entry of a list has its place in it, from 0.
        key: String,
        /// What is wrong with its value.
        reason: String,
        /// Where the value is written.
        place: Place,
    },
    /// A line of a file is wrong.
    #[error("{reason}{place}")]
    Line {
        /// What is wrong with it.
        reason: String,
        /// Where it is.
        place: Place,
    },
    /// Several mistakes.
    #[error("{}", one_a_line(.0))]
    Several(Vec<ConfigError>),
}

/// Where a value is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it is the default.
    Nowhere,
    /// In a file.
    File {
        /// Which file.
        path: PathBuf,
        /// The line, from 1.
        line: Option<usize>,
    },
    /// In the environment, as this variable.
    Variable(String),
    /// For this flag, or in its variable.
    Flag(&'static str),
}

impl Place {
    /// A line of a file.
    pub(super) fn line(path: &Path, line: Option<usize>) -> Self {
        Self::File { path: path.to_owned(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => Ok(()),
            Self::File { path, line: None } => write!(f, " (in {})", show_path(path)),
            Self::File { path, line: Some(line) } => write!(f, " (in {}, line {line})", show_path(path)),
            Self::Variable(name) => write!(f, " (in the environment, as {name})"),
            Self::Flag(flag) => write!(f, " (in {flag})"),
        }
    }
}

impl ConfigError {
    /// The file does not exist.
    pub(super) fn missing(path: &Path) -> Self {
        let error = io::Error::new(io::ErrorKind::NotFound, "the file does not exist").into();
        Self::Unreadable { path: path.to_owned(), error }
    }

    /// One error of these, in the order of the lines of each file; first what is in no file. `None`: there are none.
    pub(super) fn of_all(errors: Vec<Self>) -> Option<Self> {
        let mut errors: Vec<_> = errors.into_iter().flat_map(Self::each).collect();
        let files: Vec<_> =
            errors.iter().filter_map(|error| error.file().map(|(path, _)| path.to_owned())).collect();
        errors.sort_by_key(|error| {
            error.file().map(|(path, line)| (files.iter().position(|file| file == path), line))
        });
        match errors.len() {
            0 | 1 => errors.pop(),
            _ => Some(Self::Several(errors)),
        }
    }

    fn each(self) -> Vec<Self> {
        match self {
            Self::Several(errors) => errors,
            one => vec![one],
        }
    }

    /// The file and line that it is about.
    pub(super) fn file(&self) -> Option<(&Path, Option<usize>)> {
        match self {
            Self::Unreadable { path, .. } | Self::Exposed { path, .. } => Some((path, None)),
            Self::Invalid { place: Place::File { path, line }, .. }
            | Self::Line { place: Place::File { path, line }, .. } => Some((path, *line)),
            _ => None,
        }
    }
}

/// The key, with the entries of lists counted from 1: `local.allow.may (entry 2)`.
fn shown_key(key: &str) -> String {
    let is_entry = |part: &&str| part.parse::<usize>().is_ok();
    let names: Vec<_> = key.split('.').filter(|part| !is_entry(part)).collect();
    // The file can have keys in quotes, with any character.
    let mut shown = one_line(&names.join("."), 128);
    for at in key.split('.').filter_map(|part| part.parse::<usize>().ok()) {
        shown.push_str(&format!(" (entry {})", at.saturating_add(1)));
    }
    shown
}

/// The number of mistakes, and each on a line of its own.
fn one_a_line(errors: &[ConfigError]) -> String {
    let mut text = format!("the configuration has {} mistakes:", errors.len());
    for error in errors {
        text.push_str(&format!("\n  {error}"));
    }
    text
}
