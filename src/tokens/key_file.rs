//! The file with the keys of access tokens.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::access_token::KeyRing;
use crate::config::files::{self, Owners, show_path};
use crate::store::{KeyStore, KeysError, KeysRevision, StoredKeys};

/// Keeps the ring of keys in a file, which only the daemon writes.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
    owners: Owners,
    /// Held from the comparison of revisions to the replacement of the file.
    changing: Arc<Mutex<()>>,
}

impl KeyFile {
    /// The file at this path, which belongs to one of these users.
    pub fn new(path: PathBuf, owners: Owners) -> Self {
        Self { path, owners, changing: Arc::default() }
    }

    /// Checks the file, if there is one. Changes nothing. Blocks.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn check(&self) -> Result<(), KeysError> {
        let Some(stored) = self.read()? else { return Ok(()) };
        KeyRing::from_json(&stored.text).map(drop).map_err(|error| self.refused(error))
    }

    fn read(&self) -> Result<Option<StoredKeys>, KeysError> {
        let text = files::read_secret_of(&self.path, self.owners).map_err(|error| self.refused(error))?;
        Ok(text.map(|text| StoredKeys { revision: revision(&text), text }))
    }

    /// Replaces the text, unless the file has another revision.
    fn replace(&self, known: Option<KeysRevision>, text: &str) -> Result<Option<KeysRevision>, KeysError> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.read()?.map(|stored| stored.revision) != known {
            return Ok(None);
        }
        let unwritten = |error: std::io::Error| {
            let path = show_path(&self.path);
            KeysError::Unavailable(format!("cannot write the keys of access tokens to {path}: {error}"))
        };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // Readable by its owner alone from the beginning.
        let mut file = NamedTempFile::new_in(folder).map_err(unwritten)?;
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(unwritten)?;
        file.as_file().sync_all().map_err(unwritten)?;
        files::give_to_owner_of(folder, file.as_file()).map_err(unwritten)?;
        file.persist(&self.path).map_err(|error| unwritten(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritten)?;
        Ok(Some(revision(text)))
    }

    fn refused(&self, reason: impl std::fmt::Display) -> KeysError {
        KeysError::Refused(format!("cannot use {}: {reason}", self.place()))
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, KeysError> + Send + 'static,
    ) -> Result<T, KeysError> {
        let file = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&file)).await;
        done.unwrap_or_else(|error| Err(KeysError::Unavailable(format!("{}: {error}", self.place()))))
    }
}

fn revision(text: &str) -> KeysRevision {
    Sha256::digest(text).into()
}

#[async_trait]
impl KeyStore for KeyFile {
    fn place(&self) -> String {
        format!("the keys of access tokens in {}", show_path(&self.path))
    }

    async fn load_keys(&self) -> Result<Option<StoredKeys>, KeysError> {
        self.blocking(Self::read).await
    }

    async fn replace_keys(
        &self,
        known: Option<KeysRevision>,
        text: &str,
    ) -> Result<Option<KeysRevision>, KeysError> {
        let text = Zeroizing::new(text.to_owned());
        self.blocking(move |file| file.replace(known, &text)).await
    }
}
