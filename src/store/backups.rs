//! Copies of the whole store in one file.

use std::fmt;
use std::path::Path;

use super::StoreError;
use crate::clock::Timestamp;

/// The label of a copy. A plain copy of a file has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupLabel {
    /// The public key of the service that the data belongs to, in hex; not every data folder states it.
    pub service: Option<String>,
    /// When it was made.
    pub made_at: Timestamp,
}

/// Why a store was not copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Stores of this kind are copied in another way, which the text names.
    #[error("{0}")]
    OtherWay(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A store that need not be open, and that a daemon may use at the same time.
pub trait Backups: fmt::Debug + Send + Sync {
    /// Writes the state of the store at one moment to `copy`, an empty file, and checks the copy. Blocks.
    ///
    /// # Errors
    /// [`BackupError`]; with [`StoreError::Unavailable`] if there is no store, or no room for a copy, and with
    /// [`StoreError::Newer`] or [`StoreError::Corrupt`] for a store that is not Portico's or is damaged.
    fn backup_to(&self, copy: &Path, label: &BackupLabel) -> Result<(), BackupError>;
}
