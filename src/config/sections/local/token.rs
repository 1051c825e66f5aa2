//! The API token of the TCP socket.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::config::files::{self, FileError, MIN_SECRET, show_path};
use crate::portal_token::wrapped;

/// The source of the API token of the TCP socket.
#[derive(Debug, Clone)]
pub enum ApiToken {
    /// The configuration contains it.
    Given(SecretString),
    /// A file that must exist.
    File(PathBuf),
    /// A file that is made at the first start.
    Generated(PathBuf),
}

/// Shows the source, never the token.
impl fmt::Display for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("in the configuration"),
            Self::File(path) | Self::Generated(path) => f.write_str(&show_path(path)),
        }
    }
}

/// The reason why the API token cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the API token in {}: {error}", show_path(path))]
pub struct ApiTokenError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub error: FileError,
}

impl ApiToken {
    /// The token itself, made at the first start if none is configured. A weak token is accepted, because old
    /// clients may use one, and the log warns of it.
    ///
    /// # Errors
    /// [`ApiTokenError`].
    pub fn load(&self) -> Result<SecretString, ApiTokenError> {
        let token = match self {
            Self::Generated(path) => read(path)?.map_or_else(|| generate(path), Ok)?,
            Self::Given(token) => token.clone(),
            Self::File(path) => read_named(path)?,
        };
        if let Some(warning) = weakness(&token) {
            tracing::warn!(token = %self, "{warning}");
        }
        Ok(token)
    }

    /// Checks that [`Self::load`] would succeed, and returns its warning. Makes no file.
    ///
    /// # Errors
    /// [`ApiTokenError`].
    pub fn check(&self) -> Result<Option<String>, ApiTokenError> {
        let token = match self {
            Self::Given(token) => Some(token.clone()),
            Self::File(path) => Some(read_named(path)?),
            Self::Generated(path) => read(path)?,
        };
        Ok(token.as_ref().and_then(weakness))
    }
}

/// The reason why this cannot be an API token: a client that sends it after `Bearer ` would be rejected.
pub(super) fn malformed(token: &str) -> Option<String> {
    let token = token.trim();
    if token.is_empty() {
        return Some("it is empty, so anybody would have access".into());
    }
    let has_blanks = || {
        token.contains(char::is_whitespace).then(|| "it contains white space; write only the token".into())
    };
    wrapped(token).or_else(has_blanks)
}

fn weakness(token: &SecretString) -> Option<String> {
    let is_short = token.expose_secret().len() < MIN_SECRET;
    is_short.then(|| format!("the API token can be guessed: use at least {MIN_SECRET} random bytes"))
}

fn read_named(path: &Path) -> Result<SecretString, ApiTokenError> {
    read(path)?.ok_or_else(|| unusable(path)(missing()))
}

fn read(path: &Path) -> Result<Option<SecretString>, ApiTokenError> {
    match files::read_secret(path).map_err(unusable(path))? {
        Some(token) => match malformed(&token) {
            Some(reason) => Err(unusable(path)(io::Error::new(io::ErrorKind::InvalidData, reason).into())),
            None => Ok(Some(SecretString::from(token.as_str()))),
        },
        None => Ok(None),
    }
}

fn missing() -> FileError {
    io::Error::new(io::ErrorKind::NotFound, "the file does not exist").into()
}

fn generate(path: &Path) -> Result<SecretString, ApiTokenError> {
    let token = hex::encode(rand::random::<[u8; 32]>());
    files::create_secret(path, &token).map_err(|error| unusable(path)(error.into()))?;
    tracing::warn!(file = %show_path(path), "made a new API token for TCP clients");
    Ok(SecretString::from(token))
}

fn unusable(path: &Path) -> impl Fn(FileError) -> ApiTokenError {
    move |error| ApiTokenError { path: path.to_owned(), error }
}
