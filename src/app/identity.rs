//! The service's identity: its key, and the check that the data folder belongs to that key.

use std::path::{Path, PathBuf};

use nostr_sdk::{Keys, PublicKey};

use super::error::StartError;
use super::folder::DataFolder;
use crate::clock::Clock;
use crate::config::files::Owners;
use crate::config::key::{self, KeyError, PRIVATE_KEY};
use crate::config::{SUBKEY_PROOF, Service, files};
use crate::identity::Identity;
use crate::protocol::{SubkeyError, SubkeyProof};

/// The service's keys, made at the first start, and the key that it is known by. The caller has called [`keys_of`] and
/// [`check_first_start`].
pub(super) fn load(
    service: &Service,
    folder: &DataFolder,
    clock: &dyn Clock,
) -> Result<(Keys, Identity), StartError> {
    let keys = keys(service, folder)?;
    let identity = identity(service, keys.clone(), clock)?;
    Ok((keys, identity))
}

/// Checks the proof of a service that runs on a subkey. Returns the key that the service is known by.
///
/// # Errors
/// [`StartError::Proof`].
pub fn check_identity(service: &Service, keys: &Keys, clock: &dyn Clock) -> Result<PublicKey, StartError> {
    identity(service, keys.clone(), clock).map(|identity| identity.main_key())
}

/// The service's keys, if they exist.
///
/// # Errors
/// [`KeyError`].
pub fn load_keys(service: &Service) -> Result<Option<Keys>, KeyError> {
    load_keys_of(service, Owners::ours())
}

/// The same for a key file of one of these owners.
///
/// # Errors
/// [`KeyError`].
pub fn load_keys_of(service: &Service, owners: Owners) -> Result<Option<Keys>, KeyError> {
    match &service.given_key {
        Some(given) => key::parse(given).map(Some),
        None => key::load_of(&service.key_file, owners),
    }
}

/// The service's keys, if they exist, for a data folder of the service `known`.
pub(super) fn keys_of(
    service: &Service,
    owners: Owners,
    folder: &Path,
    known: Option<&str>,
) -> Result<Option<Keys>, StartError> {
    let loaded = load_keys_of(service, owners)?;
    // The key file was replaced, or is missing: do not silently start a new service.
    let is_other = |known: &&str| loaded.as_ref().is_none_or(|keys| keys.public_key().to_hex() != **known);
    let Some(known) = known.filter(is_other) else { return Ok(loaded) };
    let given = service.given_key.as_ref().map(|_| PathBuf::from(PRIVATE_KEY));
    Err(StartError::OtherService {
        folder: folder.to_owned(),
        known: known.to_owned(),
        key_file: given.unwrap_or_else(|| service.key_file.clone()),
        is_missing: loaded.is_none(),
    })
}

/// For a service without a key: checks that a key can be made.
pub(super) fn check_first_start(service: &Service) -> Result<(), StartError> {
    let path = &service.key_file;
    if let Some((text, place)) = proof_of(service)? {
        parse(&text, &place)?;
        let reason = format!(
            "it is the proof of a key, but {} has no key: put that key there",
            files::show_path(path)
        );
        return Err(StartError::Proof { path: place, reason });
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    files::check_place(folder).map_err(|error| KeyError::File { path: path.clone(), error })?;
    Ok(())
}

fn keys(service: &Service, folder: &DataFolder) -> Result<Keys, StartError> {
    let path = &service.key_file;
    let known = folder.service()?;
    let keys = match keys_of(service, Owners::ours(), folder.path(), known.as_deref())? {
        Some(keys) => keys,
        None => {
            let keys = key::create(path)?;
            tracing::warn!(file = %files::show_path(path), public_key = %keys.public_key(), "no key file exists, so this is a new service: made a new key; keep a copy of it");
            keys
        }
    };
    folder.remember_service(&keys.public_key().to_hex())?;
    Ok(keys)
}

fn identity(service: &Service, keys: Keys, clock: &dyn Clock) -> Result<Identity, StartError> {
    let Some((text, place)) = proof_of(service)? else { return Ok(Identity::main(keys)) };
    let proof = parse(&text, &place)?;
    Identity::subkey(keys, proof, clock.now())
        .map_err(|error: SubkeyError| StartError::Proof { path: place, reason: error.to_string() })
}

/// The text of the proof that the service's key is a subkey, and its file; `None`: the key is not a subkey.
fn proof_of(service: &Service) -> Result<Option<(String, PathBuf)>, StartError> {
    match (&service.subkey_proof_file, &service.given_proof) {
        (Some(path), _) => {
            let failed = |reason: String| StartError::Proof { path: path.clone(), reason };
            let read = files::read_config(path).map_err(|error| failed(error.to_string()))?;
            let read = read.ok_or_else(|| failed("the file does not exist".into()))?;
            Ok(Some((read.text, path.clone())))
        }
        (None, Some(text)) => Ok(Some((text.clone(), PathBuf::from(SUBKEY_PROOF)))),
        (None, None) => Ok(None),
    }
}

fn parse(text: &str, place: &Path) -> Result<SubkeyProof, StartError> {
    serde_json::from_str(text).map_err(|_| {
        let reason = "it is not a proof that `portico keygen --subkey-of` wrote".into();
        StartError::Proof { path: place.to_owned(), reason }
    })
}
