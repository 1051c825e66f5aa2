//! The ring of keys that sign access tokens. To the store it is a text.

use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

/// The version of a stored ring: the SHA-256 of what is stored.
pub type KeysRevision = [u8; 32];

/// A stored ring of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKeys {
    /// Its text, with secrets.
    pub text: Zeroizing<String>,
    /// Its version.
    pub revision: KeysRevision,
}

/// Without the text: logs are no place for it.
impl fmt::Debug for StoredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKeys").finish_non_exhaustive()
    }
}

/// Why the keys cannot be loaded or replaced. The text names the place of the keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The keys cannot be trusted, or are damaged. Waiting does not help.
    #[error("{0}")]
    Refused(String),
    /// They cannot be read or written now.
    #[error("{0}")]
    Unavailable(String),
}

/// Where the ring of keys is kept.
#[async_trait]
pub trait KeyStore: fmt::Debug + Send + Sync {
    /// The place, for error texts and the log.
    fn place(&self) -> String;

    /// The stored ring. `None`: none was stored yet.
    async fn load_keys(&self) -> Result<Option<StoredKeys>, KeysError>;

    /// Stores `text`, which neither begins nor ends with a blank, in place of the revision `known`; `None` stands for
    /// no ring. Returns the new revision, or `None` if another one is stored: nothing was done then. All of the text
    /// is stored or nothing, and durably.
    async fn replace_keys(
        &self,
        known: Option<KeysRevision>,
        text: &str,
    ) -> Result<Option<KeysRevision>, KeysError>;
}
