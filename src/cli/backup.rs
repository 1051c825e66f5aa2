//! `portico backup` and `portico restore`: the database in one file, without the service's key.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::terminal::{note, say};
use super::{CommandResult, Exit, Failure};
use crate::app::folder::{self, DataFolder};
use crate::app::{self, Acting, FolderError};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::config::files::{FileError, Owners, show_path};
use crate::config::{self, Config, Overrides, Service, StorePlace, files};
use crate::store::sqlite::backup::{self, DatabaseFile};
use crate::store::{BackupError, BackupLabel, Backups, StoreError};

/// The service that a command works on.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// Configuration file [default: as for `portico serve`]
    #[arg(long, value_name = "FILE", env = "PORTICO_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of the database [default: as for `portico serve`]
    #[arg(long, value_name = "DIR", env = "PORTICO_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// File with the service's key [default: as for `portico serve`]
    #[arg(long, value_name = "FILE", env = "PORTICO_KEY_FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file contains the database and the public key of the service. It does not contain the \
                        service's secret key or the configuration: keep separate copies of those. \
                        Session tokens in the file are encrypted with the service's key."
)]
pub(super) struct Backup {
    /// File to write; an existing file is never overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The replaced database is kept in the same folder. Everything after the backup is lost, \
                        including token revocations, logouts and disabled users: repeat those."
)]
pub(super) struct Restore {
    /// A file that `portico backup` made
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    target: Target,
}

pub(super) fn backup(args: &Backup) -> CommandResult {
    let config = args.target.config()?;
    let data = &config.data_dir;
    let database = folder::database_in(data);
    let store: &dyn Backups = match &config.store {
        StorePlace::Folder => &DatabaseFile(&database),
        StorePlace::Postgres(database) => database.url(),
    };
    let label = BackupLabel { service: known_service(&config)?, made_at: SystemClock.now() };
    if args.file.exists() {
        return Err(Failure::usage(format!("{} already exists", show_path(&args.file))));
    }
    let failed = |error| unwritable(&args.file, error);
    let path = std::path::absolute(&args.file).map_err(failed)?;
    let beside = path.parent().unwrap_or(Path::new("/"));
    if let Err(reason @ (FileError::Refused(_) | FileError::NotAFile)) = files::check_place(beside) {
        return Err(Failure::usage(format!("cannot write a backup in {}: {reason}", show_path(beside))));
    }
    app::check_folder(data, Acting::AsOwner).map_err(Failure::usage)?;
    // Under another name until it is whole, in a folder where nobody else can put anything. A file of this kind is
    // made 0600.
    let unfinished =
        tempfile::Builder::new().prefix(".portico-backup-").tempdir_in(beside).map_err(failed)?;
    let copy = NamedTempFile::new_in(unfinished.path()).map_err(failed)?;
    store.backup_to(copy.path(), &label).map_err(|error| match error {
        BackupError::OtherWay(_) => Failure::usage(error),
        BackupError::Store(error) => refused(error),
    })?;
    copy.as_file().sync_all().map_err(failed)?;
    let written = copy.persist_noclobber(&path).map_err(|error| failed(error.error))?;
    File::open(beside).and_then(|beside| beside.sync_all()).map_err(failed)?;
    say!("{:<12} {}", "file", show_path(&path));
    say!("{:<12} {}", "bytes", written.metadata().map_err(failed)?.len());
    say!("{:<12} {}", "service", label.service.as_deref().unwrap_or("(unknown)"));
    Ok(Exit::Success)
}

pub(super) fn restore(args: &Restore) -> CommandResult {
    let config = args.target.config()?;
    if let StorePlace::Postgres(database) = &config.store {
        let url = database.url();
        return Err(Failure::usage(format!("the store is {url}: restore it with pg_restore or psql")));
    }
    // Looked at before anything is made.
    app::check_folder(&config.data_dir, Acting::AsOwner).map_err(Failure::usage)?;
    open_backup(&args.file)?;
    let folder = take_folder(&config)?;
    let restored = restore_into(&folder, &config, args);
    if restored.is_err() {
        folder.give_back();
    }
    restored
}

/// The data folder, which no daemon may use.
pub(super) fn take_folder(config: &Config) -> Result<DataFolder, Failure> {
    DataFolder::take(&config.data_dir, Acting::AsOwner).map_err(|error| match error {
        FolderError::InUse(_) => Failure::new(Exit::Unavailable, format!("{error}: stop it first")),
        FolderError::Unsafe { .. } => Failure::usage(error),
        error => Failure::new(Exit::Unavailable, error),
    })
}

fn restore_into(folder: &DataFolder, config: &Config, args: &Restore) -> CommandResult {
    // Check the copy, not the original, so that the checked file is the restored file.
    let copy = copy_into(folder, &args.file)?;
    let label = backup::adopt(copy.path(), &args.file).map_err(|error| match error {
        StoreError::Corrupt(reason) => Failure::new(
            Exit::No,
            format!("{} is not a backup, or is damaged: {reason}", show_path(&args.file)),
        ),
        error => refused(error),
    })?;
    let service = label.as_ref().and_then(|label| label.service.clone());
    let known = known_service(config)?;
    if let (Some(service), Some(known)) = (&service, &known)
        && service != known
    {
        let why = format!(
            "{} is a backup of service {service}, but this data belongs to service {known}",
            show_path(&args.file)
        );
        return Err(Failure::new(Exit::No, why));
    }
    let unusable = |error| Failure::new(Exit::Unavailable, error);
    copy.as_file().sync_all().map_err(|error| unwritable(copy.path(), error))?;
    if let Some(service) = &service {
        folder.remember_service(service).map_err(unusable)?;
    }
    let replaced = folder.replace_database(copy.path(), &stamp(SystemClock.now())).map_err(unusable)?;
    say!("{:<12} {}", "restored", show_path(&folder.database()));
    if let Some(label) = label {
        say!("{:<12} {}", "as of", label.made_at);
    }
    if let Some(replaced) = replaced {
        say!("{:<12} {}", "replaced", show_path(&replaced));
    }
    say!(
        "Everything after the backup is lost: tokens that were revoked since are valid again, and logouts, disabled \
         users and changed roles are undone."
    );
    needed_to_start(config, folder.service().map_err(unusable)?.as_deref())
        .iter()
        .for_each(|needed| note!("Before you start the daemon: {needed}"));
    Ok(Exit::Success)
}

impl Target {
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let Self { config, data_dir, key_file } = self;
        let (config, data_dir, key_file) = (config.clone(), data_dir.clone(), key_file.clone());
        let overrides = Overrides { config, data_dir, key_file, ..Overrides::default() };
        config::load(&overrides).map_err(Failure::usage)
    }
}

/// The service that owns the data: the data folder records it; otherwise the key file may name it.
fn known_service(config: &Config) -> Result<Option<String>, Failure> {
    let known = folder::service_of(&config.data_dir, Acting::AsOwner);
    if let Some(known) = known.map_err(Failure::usage)? {
        return Ok(Some(known));
    }
    let owners = app::owners_in(&config.data_dir, Acting::AsOwner).map_err(Failure::usage)?;
    let keys = app::load_keys_of(&config.service, owners).map_err(Failure::usage)?;
    Ok(keys.map(|keys| keys.public_key().to_hex()))
}

/// What the daemon needs, a backup does not contain, and this machine does not have yet.
fn needed_to_start(config: &Config, service: Option<&str>) -> Vec<String> {
    let Service { key_file, subkey_proof_file, .. } = &config.service;
    let mut needed = Vec::new();
    // The daemon runs as whom the folder belongs to, and its key file may be theirs.
    let owners = app::owners_in(&config.data_dir, Acting::AsOwner).unwrap_or_else(|_| Owners::ours());
    let loaded = app::load_keys_of(&config.service, owners);
    match loaded.map(|keys| keys.map(|keys| keys.public_key().to_hex())) {
        Err(error) => needed.push(error.to_string()),
        Ok(key) if service.is_some() && key.as_deref() == service => {}
        Ok(Some(_)) if service.is_none() => {}
        Ok(_) => {
            let whose =
                service.map_or_else(|| "its service".into(), |service| format!("the service {service}"));
            needed.push(format!("put the key of {whose} into {}", show_path(key_file)));
        }
    }
    if let Some(proof) = subkey_proof_file.as_ref().filter(|proof| !proof.is_file()) {
        needed.push(format!("put the proof of the service's subkey into {}", show_path(proof)));
    }
    needed
}

/// A copy of `file` in the data folder.
fn copy_into(folder: &DataFolder, file: &Path) -> Result<NamedTempFile, Failure> {
    let mut from = open_backup(file)?;
    let mut copy = folder.new_file().map_err(|error| Failure::new(Exit::Unavailable, error))?;
    io::copy(&mut from, &mut copy).map_err(|error| unwritable(copy.path(), error))?;
    Ok(copy)
}

fn open_backup(file: &Path) -> Result<File, Failure> {
    let unreadable = |error| Failure::usage(format!("cannot read {}: {error}", show_path(file)));
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let why = "it is a database in use, and part of its data is still in the -wal file";
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, why)));
    }
    let from = files::open_deciding(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", show_path(file))))?;
    from.ok_or_else(|| Failure::usage(format!("cannot read {}: the file does not exist", show_path(file))))
}

/// A moment as a part of a file's name.
pub(super) fn stamp(now: Timestamp) -> String {
    now.to_string().replace([':', '.'], "-")
}

fn refused(error: StoreError) -> Failure {
    let exit = if matches!(error, StoreError::Unavailable(_)) { Exit::Unavailable } else { Exit::No };
    Failure::new(exit, error)
}

fn unwritable(path: &Path, error: io::Error) -> Failure {
    Failure::new(Exit::Unavailable, format!("cannot write {}: {error}", show_path(path)))
}
