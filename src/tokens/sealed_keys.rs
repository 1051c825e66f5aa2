//! The ring of keys in a place that others may read: sealed to the service's own key.

use std::sync::Arc;

use async_trait::async_trait;
use rand::thread_rng;
use zeroize::Zeroizing;

use crate::protocol::{OpenError, Sealer};
use crate::store::{KeyStore, KeysError, KeysRevision, StoredKeys};

/// Seals the ring of keys before it is stored, so that a copy of the database signs nothing.
#[derive(Debug)]
pub struct SealedKeys {
    stored: Arc<dyn KeyStore>,
    sealer: Arc<Sealer>,
}

impl SealedKeys {
    /// Keeps the ring in `stored`, sealed to the key of this sealer.
    pub fn new(stored: Arc<dyn KeyStore>, sealer: Arc<Sealer>) -> Self {
        Self { stored, sealer }
    }

    /// The text of a ring, sealed to the key of this sealer.
    ///
    /// # Errors
    /// [`KeysError::Refused`]: it is too long.
    pub fn seal(sealer: &Sealer, text: &str) -> Result<String, KeysError> {
        let sealed = sealer.seal_text(&mut thread_rng(), &sealer.public_key(), text);
        sealed.map_err(|_| KeysError::Refused("the keys of access tokens cannot be sealed".into()))
    }

    fn refused(&self, why: &str) -> KeysError {
        KeysError::Refused(format!("cannot use {}: {why}", self.place()))
    }
}

#[async_trait]
impl KeyStore for SealedKeys {
    fn place(&self) -> String {
        self.stored.place()
    }

    async fn load_keys(&self) -> Result<Option<StoredKeys>, KeysError> {
        let Some(sealed) = self.stored.load_keys().await? else { return Ok(None) };
        let opened = self.sealer.open_text(&self.sealer.public_key(), &sealed.text);
        let text = opened.map_err(|error| match error {
            OpenError::Foreign => {
                self.refused("another service sealed them. Set the key file of that service")
            }
            _ => self.refused("they are damaged"),
        })?;
        Ok(Some(StoredKeys { text: Zeroizing::new(text), revision: sealed.revision }))
    }

    async fn replace_keys(
        &self,
        known: Option<KeysRevision>,
        text: &str,
    ) -> Result<Option<KeysRevision>, KeysError> {
        self.stored.replace_keys(known, &Self::seal(&self.sealer, text)?).await
    }
}
