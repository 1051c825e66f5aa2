//! Who the service is: its key, and that the data folder is that key's.

use std::path::{Path, PathBuf};

use nostr_sdk::{Keys, PublicKey};

use super::error::StartError;
use super::folder::DataFolder;
use crate::auth::Identity;
use crate::clock::Clock;
use crate::config::key::{self, KeyError, PRIVATE_KEY};
use crate::config::{SUBKEY_PROOF, Service, files};
use crate::protocol::{SubkeyError, SubkeyProof};

/// The service's keys, made at the first start, and what it is known by.
pub(super) fn load(
    service: &Service,
    folder: &DataFolder,
    clock: &dyn Clock,
) -> Result<(Keys, Identity), StartError> {
    let keys = keys(service, folder)?;
    let identity = identity(service, keys.clone(), clock)?;
    Ok((keys, identity))
}

/// Checks what a service that runs on a subkey shows for itself. Returns the key that it is known by.
///
/// # Errors
/// [`StartError::Proof`].
pub fn check_identity(service: &Service, keys: &Keys, clock: &dyn Clock) -> Result<PublicKey, StartError> {
    identity(service, keys.clone(), clock).map(|identity| identity.main_key())
}

/// The service's keys, if there are any yet.
///
/// # Errors
/// [`KeyError`].
pub fn load_keys(service: &Service) -> Result<Option<Keys>, KeyError> {
    match &service.given_key {
        Some(given) => key::parse(given).map(Some),
        None => key::load(&service.key_file),
    }
}

fn keys(service: &Service, folder: &DataFolder) -> Result<Keys, StartError> {
    let path = &service.key_file;
    let known = folder.service()?;
    let loaded = load_keys(service)?;
    // A key file that is not the one it was, or is not there: not to be taken for a new service in silence.
    if let Some(known) =
        known.filter(|known| loaded.as_ref().is_none_or(|keys| keys.public_key().to_hex() != *known))
    {
        let given = service.given_key.as_ref().map(|_| PathBuf::from(PRIVATE_KEY));
        let (folder, key_file) = (folder.path().to_owned(), given.unwrap_or_else(|| path.clone()));
        return Err(StartError::OtherService { folder, known, key_file });
    }
    let keys = match loaded {
        Some(keys) => keys,
        None => {
            let keys = key::create(path)?;
            tracing::warn!(file = %path.display(), public_key = %keys.public_key(), "no key file was found, so this is a new service: made a new key; keep a copy of it");
            keys
        }
    };
    folder.remember_service(&keys.public_key().to_hex())?;
    Ok(keys)
}

fn identity(service: &Service, keys: Keys, clock: &dyn Clock) -> Result<Identity, StartError> {
    match (&service.subkey_proof_file, &service.given_proof) {
        (Some(path), _) => {
            let failed = |reason: String| StartError::Proof { path: path.clone(), reason };
            let read = files::read_config(path).map_err(|error| failed(error.to_string()))?;
            let read = read.ok_or_else(|| failed("there is no such file".into()))?;
            subkey(keys, &read.text, path, clock)
        }
        (None, Some(text)) => subkey(keys, text, Path::new(SUBKEY_PROOF), clock),
        (None, None) => Ok(Identity::main(keys)),
    }
}

fn subkey(keys: Keys, text: &str, place: &Path, clock: &dyn Clock) -> Result<Identity, StartError> {
    let failed = |reason: String| StartError::Proof { path: place.to_owned(), reason };
    let proof: SubkeyProof = serde_json::from_str(text)
        .map_err(|_| failed("it is no proof as `portico keygen --subkey-of` writes it".into()))?;
    Identity::subkey(keys, proof, clock.now()).map_err(|error: SubkeyError| failed(error.to_string()))
}
