//! The service's key, and the proof that goes with it when it is a subkey.

use std::path::{Path, PathBuf};

use nostr_sdk::{Keys, SecretKey, ToBech32};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::files::{self, FileError, Owners, show_path};

/// The variable of Portal's daemon that holds the service's key.
pub const PRIVATE_KEY: &str = "PORTAL__NOSTR__PRIVATE_KEY";

/// The reason why the service's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read, written, or trusted.
    #[error("cannot use the key file {}: {error}", show_path(path))]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: FileError,
    },
    /// The content of the file is not a key. The error does not repeat it.
    #[error("the key file {} must contain nsec1… or 64 hex digits", show_path(.0))]
    Malformed(PathBuf),
    /// The value of the variable of Portal's daemon is not a key. The error does not repeat it.
    #[error("{PRIVATE_KEY} must be nsec1… or 64 hex digits")]
    MalformedVariable,
}

/// Reads the service's key; `None`: the file does not exist.
pub fn load(path: &Path) -> Result<Option<Keys>, KeyError> {
    load_of(path, Owners::ours())
}

/// Reads the key of a service with files of one of these owners; `None`: the file does not exist.
pub fn load_of(path: &Path, owners: Owners) -> Result<Option<Keys>, KeyError> {
    let text = files::read_secret_of(path, owners)
        .map_err(|error| KeyError::File { path: path.to_owned(), error })?;
    let Some(text) = text else { return Ok(None) };
    let secret = SecretKey::parse(&text).map_err(|_| KeyError::Malformed(path.to_owned()))?;
    Ok(Some(Keys::new(secret)))
}

/// Reads a key from Portal's variable.
pub fn parse(given: &SecretString) -> Result<Keys, KeyError> {
    let secret = SecretKey::parse(given.expose_secret().trim()).map_err(|_| KeyError::MalformedVariable)?;
    Ok(Keys::new(secret))
}

/// Makes a new key, and writes it to a new file that only its owner can read.
pub fn create(path: &Path) -> Result<Keys, KeyError> {
    let keys = Keys::generate();
    save(path, &keys)?;
    Ok(keys)
}

/// Writes a key to a new file that only its owner can read.
pub fn save(path: &Path, keys: &Keys) -> Result<(), KeyError> {
    let Ok(nsec) = keys.secret_key().to_bech32();
    let nsec = Zeroizing::new(nsec);
    files::create_secret(path, &nsec)
        .map_err(|error| KeyError::File { path: path.to_owned(), error: error.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_key_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("service.key");
        assert!(load(&path).unwrap().is_none());
        let keys = create(&path).unwrap();
        assert_eq!(load(&path).unwrap().unwrap(), keys);
    }

    #[test]
    fn hex_is_read_too_and_anything_else_is_refused_without_being_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let hex = folder.path().join("hex");
        files::create_secret(&hex, &"1b".repeat(32)).unwrap();
        assert!(load(&hex).unwrap().is_some());

        let bad = folder.path().join("bad");
        files::create_secret(&bad, "correct horse battery staple").unwrap();
        let error = load(&bad).unwrap_err().to_string();
        assert!(error.contains("nsec1") && !error.contains("horse"), "{error}");
    }
}
