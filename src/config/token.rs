//! The API token of the TCP socket.

use std::fmt;
use std::io;
use std::path::PathBuf;

use secrecy::SecretString;

use super::files::{self, SecretFileError};

/// Where the API token of the TCP socket comes from.
#[derive(Debug, Clone)]
pub enum ApiToken {
    /// It stands in the configuration.
    Given(SecretString),
    /// It lies in a file that must exist.
    File(PathBuf),
    /// It lies in a file that is made at the first start.
    Generated(PathBuf),
}

/// Where it is; never what it is.
impl fmt::Display for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("in the configuration"),
            Self::File(path) | Self::Generated(path) => path.display().fmt(f),
        }
    }
}

/// Why there is no API token.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the API token in {}: {error}", path.display())]
pub struct ApiTokenError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub error: SecretFileError,
}

impl ApiToken {
    /// The token itself, made at the first start if nothing else is configured.
    ///
    /// # Errors
    /// [`ApiTokenError`].
    pub fn load(&self) -> Result<SecretString, ApiTokenError> {
        let (path, may_create) = match self {
            Self::Given(token) => return Ok(token.clone()),
            Self::File(path) => (path, false),
            Self::Generated(path) => (path, true),
        };
        let failed = |error: SecretFileError| ApiTokenError { path: path.clone(), error };
        match files::read_secret(path).map_err(failed)? {
            Some(token) if token.is_empty() => {
                Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it is empty").into()))
            }
            Some(token) => Ok(SecretString::from(token.as_str())),
            None if may_create => {
                let token = hex::encode(rand::random::<[u8; 32]>());
                files::create_secret(path, &token).map_err(|error| failed(error.into()))?;
                tracing::warn!(file = %path.display(), "made a new API token for TCP clients");
                Ok(SecretString::from(token))
            }
            None => Err(failed(io::Error::from(io::ErrorKind::NotFound).into())),
        }
    }
}
