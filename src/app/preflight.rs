//! Checks every file that the configuration names, before the daemon makes a file or connects.
//!
//! Each file is read again where it is used, and that read counts. The check makes nothing, so a daemon that cannot
//! start leaves no trace.

use nostr_sdk::{Keys, PublicKey};

use super::error::StartError;
use super::folder::{self, Acting};
use super::identity;
use crate::clock::Clock;
use crate::config::{Config, StorePlace};

/// Checks the data folder and all files of secrets. Returns the service's keys and the key that it is known by.
/// `None`: the first start makes them.
///
/// `listens` says whether there is a TCP socket, which needs the API token.
///
/// # Errors
/// [`StartError`], as of the start of the daemon.
pub fn check_files(
    config: &Config,
    acting: Acting,
    listens: bool,
    clock: &dyn Clock,
) -> Result<Option<(Keys, PublicKey)>, StartError> {
    let data = &config.data_dir;
    folder::check_folder(data, acting)?;
    folder::check_access_keys(data, acting)?;
    let known = folder::service_of(data, acting)?;
    let keys = identity::keys_of(&config.service, folder::owners_in(data, acting)?, data, known.as_deref())?;
    let service = match keys {
        Some(keys) => {
            let main_key = identity::check_identity(&config.service, &keys, clock)?;
            Some((keys, main_key))
        }
        None => {
            identity::check_first_start(&config.service)?;
            None
        }
    };
    if listens {
        config.local.token.check()?;
    }
    if let Some(webhook) = &config.webhook {
        webhook.secret.load()?;
    }
    if let StorePlace::Postgres(database) = &config.store {
        database.load()?;
    }
    for rules in config.wallets.exported_sessions() {
        rules.keys()?;
    }
    if let Some(thirdweb) = &config.wallets.thirdweb {
        thirdweb.admin_key()?;
    }
    Ok(service)
}
