//! `portico store migrate`: moves the state from SQLite to PostgreSQL, once, while the daemon is stopped.

use nostr_sdk::Keys;

use super::backup::{Target, stamp, take_folder};
use super::terminal::say;
use super::{CommandResult, Exit, Failure};
use crate::app::folder::DataFolder;
use crate::app::{self, Acting};
use crate::clock::{Clock, SystemClock};
use crate::config::files::show_path;
use crate::config::{Config, StorePlace};
use crate::protocol::Sealer;
use crate::store::postgres::{self, DaemonLock, PostgresOptions};
use crate::store::sqlite::export::Export;
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{KeyStore, Moved, StoreError, Upkeep};
use crate::tokens::{KeyFile, SealedKeys};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Move the state from SQLite to the database of `store.url`; the daemon must be stopped
    Migrate(Migrate),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The database must be empty. Portico moves everything in one transaction, counts and compares it, \
                        and then renames the SQLite file and the file of the access keys: they are kept in the same \
                        folder. If anything fails, the database stays empty and the files stay in use."
)]
pub(super) struct Migrate {
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(Command::Migrate(args): Command) -> CommandResult {
    let config = args.target.config()?;
    let StorePlace::Postgres(database) = &config.store else {
        return Err(Failure::usage("set store.url to the PostgreSQL database that the state moves to"));
    };
    let service = app::check_files(&config, Acting::AsOwner, false, &SystemClock).map_err(Failure::usage)?;
    let options = app::store_options(&config, database).map_err(Failure::usage)?;
    let folder = take_folder(&config)?;
    if !folder.database().exists() {
        let file = show_path(&folder.database());
        return Err(Failure::usage(format!("nothing to move: {file} does not exist")));
    }
    // Until the end: no daemon starts on a half-filled database.
    let _lock = DaemonLock::take(&options).await.map_err(|error| failed(&options, error))?;
    let ring = sealed_keys(&config, &folder, service.map(|(keys, _)| keys)).await?;
    let file = show_path(&folder.database());
    let export = open_file(&folder).await.map_err(|error| refused(error, &file))?;
    let moved = postgres::import(options.clone(), export, ring.as_deref()).await;
    let moved = moved.map_err(|error| failed(&options, error))?;
    let kept = folder.set_database_aside(&stamp(SystemClock.now()));
    let kept = kept.map_err(|error| Failure::new(Exit::Unavailable, error))?;
    for Moved { table, rows } in moved {
        say!("{table:<14} {rows}");
    }
    say!("{:<14} {}", "moved to", options.url);
    say!("{:<14} {}", "kept", show_path(&kept));
    Ok(Exit::Success)
}

/// Opens the file at one moment, after it was migrated to the schema of this program.
async fn open_file(folder: &DataFolder) -> Result<Export, StoreError> {
    let path = folder.database();
    let opened = tokio::task::spawn_blocking({
        let path = path.clone();
        move || SqliteStore::open(&path, SqliteOptions::default())
    });
    opened.await.map_err(|error| StoreError::Unavailable(error.to_string()))??.close().await;
    Export::open(&path)
}

/// The ring of keys of access tokens, sealed for the database. `None`: there is none yet.
async fn sealed_keys(
    config: &Config,
    folder: &DataFolder,
    service: Option<Keys>,
) -> Result<Option<String>, Failure> {
    let owners = app::owners_in(&config.data_dir, Acting::AsOwner).map_err(Failure::usage)?;
    let stored = KeyFile::new(folder.access_keys(), owners).load_keys().await.map_err(Failure::usage)?;
    let Some(stored) = stored else { return Ok(None) };
    let service =
        service.ok_or_else(|| Failure::usage("the key of the service is missing: set service.key_file"))?;
    SealedKeys::seal(&Sealer::new(service, 1), &stored.text).map(Some).map_err(Failure::usage)
}

fn failed(options: &PostgresOptions, error: StoreError) -> Failure {
    match error {
        StoreError::Conflict => {
            let why = format!("{} is not empty: nothing was moved", options.url);
            Failure::new(Exit::No, why)
        }
        error => refused(error, &options.url.to_string()),
    }
}

fn refused(error: StoreError, place: &str) -> Failure {
    let exit = if matches!(error, StoreError::Unavailable(_)) { Exit::Unavailable } else { Exit::No };
    Failure::new(exit, format!("{place}: {error}; nothing was moved"))
}
