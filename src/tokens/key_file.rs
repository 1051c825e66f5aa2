//! The file with the keys of access tokens.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::access_token::{KeyRing, RingError};
use crate::config::files::{self, FileError, Owners, show_path};

/// Why the keys of access tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or trusted.
    #[error("cannot use the keys of access tokens in {}: {error}", show_path(path))]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    File { path: PathBuf, error: FileError },
    /// The content of the file is invalid.
    #[error("cannot use the keys of access tokens in {}: {error}", show_path(path))]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    Content { path: PathBuf, error: RingError },
    /// The file cannot be written.
    #[error("cannot write the keys of access tokens to {}: {error}", show_path(path))]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    Io { path: PathBuf, error: io::Error },
}

/// Reads the keys, and whether the file contains all of them: a ring without a next key gets one. `None`: there is no
/// such file.
pub(super) fn read(path: &Path, owners: Owners) -> Result<Option<(KeyRing, bool)>, KeyFileError> {
    let text = files::read_secret_of(path, owners)
        .map_err(|error| KeyFileError::File { path: path.to_owned(), error })?;
    let Some(text) = text else { return Ok(None) };
    let ring =
        KeyRing::from_json(&text).map_err(|error| KeyFileError::Content { path: path.to_owned(), error })?;
    let is_whole = ring.to_json().trim_end() == text.as_str();
    Ok(Some((ring, is_whole)))
}

/// Replaces the keys in the file: all of them or none, and durably.
pub(super) fn write(path: &Path, ring: &KeyRing) -> Result<(), KeyFileError> {
    let at = |error| KeyFileError::Io { path: path.to_owned(), error };
    let folder = path.parent().unwrap_or(Path::new("."));
    // Readable by its owner alone from the beginning.
    let mut file = NamedTempFile::new_in(folder).map_err(at)?;
    file.write_all(ring.to_json().as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(at)?;
    files::give_to_owner_of(folder, file.as_file()).map_err(at)?;
    file.persist(path).map_err(|error| at(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at)
}
