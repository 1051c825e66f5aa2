//! Who the service is: its key, and that the data folder is that key's.

use std::path::PathBuf;

use nostr_sdk::{Keys, PublicKey};

use super::error::StartError;
use super::folder::DataFolder;
use crate::auth::Identity;
use crate::clock::Clock;
use crate::config::{Service, files, key};
use crate::protocol::{SubkeyError, SubkeyProof};

/// The service's keys, made at the first start, and what it is known by.
pub(super) fn load(
    service: &Service,
    folder: &DataFolder,
    clock: &dyn Clock,
) -> Result<(Keys, Identity), StartError> {
    let keys = keys(service, folder)?;
    let identity = match &service.subkey_proof_file {
        None => Identity::main(keys.clone()),
        Some(path) => subkey(keys.clone(), path.clone(), clock)?,
    };
    Ok((keys, identity))
}

/// Checks what a service that runs on a subkey shows for itself. Returns the key that it is known by.
///
/// # Errors
/// [`StartError::Proof`].
pub fn check_identity(service: &Service, keys: &Keys, clock: &dyn Clock) -> Result<PublicKey, StartError> {
    match &service.subkey_proof_file {
        None => Ok(keys.public_key()),
        Some(path) => subkey(keys.clone(), path.clone(), clock).map(|identity| identity.main_key()),
    }
}

fn keys(service: &Service, folder: &DataFolder) -> Result<Keys, StartError> {
    let path = &service.key_file;
    let known = folder.service()?;
    let loaded = key::load(path)?;
    // A key file that is not the one it was, or is not there: not to be taken for a new service in silence.
    if let Some(known) =
        known.filter(|known| loaded.as_ref().is_none_or(|keys| keys.public_key().to_hex() != *known))
    {
        let (folder, key_file) = (folder.path().to_owned(), path.clone());
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

fn subkey(keys: Keys, path: PathBuf, clock: &dyn Clock) -> Result<Identity, StartError> {
    let failed = |reason: String| StartError::Proof { path: path.clone(), reason };
    let read = files::read_config(&path).map_err(|error| failed(error.to_string()))?;
    let read = read.ok_or_else(|| failed("there is no such file".into()))?;
    let proof: SubkeyProof = serde_json::from_str(&read.text)
        .map_err(|_| failed("it is no proof as `portico keygen --subkey-of` writes it".into()))?;
    Identity::subkey(keys, proof, clock.now()).map_err(|error: SubkeyError| failed(error.to_string()))
}
