//! The service's identity: its key, and its main key and proof if the key is a subkey.

use std::sync::Arc;

use nostr_sdk::{Keys, PublicKey};

use crate::clock::Timestamp;
use crate::portal_token::{SigningKey, VerifyingKey};
use crate::protocol::{Sealer, SubkeyError, SubkeyProof};

/// The number of cached NIP-44 conversation keys: one for each recent wallet.
const CONVERSATIONS: usize = 20_000;

/// The service's identity. Its `Debug` shows only public keys.
#[derive(Debug)]
pub struct Identity {
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) signing: SigningKey,
    pub(crate) proof: Option<SubkeyProof>,
    key: PublicKey,
    main_key: PublicKey,
}

impl Identity {
    /// A service that runs on its main key.
    pub fn main(keys: Keys) -> Self {
        let key = keys.public_key();
        Self::new(keys, key, None)
    }

    /// A service that runs on a subkey; the proof names its main key.
    ///
    /// # Errors
    /// The proof is not valid for this key now.
    pub fn subkey(keys: Keys, proof: SubkeyProof, now: Timestamp) -> Result<Self, SubkeyError> {
        let main_key = proof.main_key;
        proof.verify(&keys.public_key(), &main_key, now.secs())?;
        Ok(Self::new(keys, main_key, Some(proof)))
    }

    fn new(keys: Keys, main_key: PublicKey, proof: Option<SubkeyProof>) -> Self {
        let key = keys.public_key();
        let signing = SigningKey::from_secret(keys.secret_key());
        Self { sealer: Arc::new(Sealer::new(keys, CONVERSATIONS)), signing, proof, key, main_key }
    }

    /// The key that the service signs and decrypts with.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// The key that the service is known by.
    pub fn main_key(&self) -> PublicKey {
        self.main_key
    }

    /// Seals and opens messages as this service.
    pub fn sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.sealer)
    }

    /// Whether a key is one of this service's keys.
    pub(crate) fn is(&self, key: &PublicKey) -> bool {
        *key == self.key || *key == self.main_key
    }

    /// The key that verifies tokens of this service.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.signing.verifying_key()
    }
}
