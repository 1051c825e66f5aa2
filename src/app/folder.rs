//! The data folder: its files, its lock, and the check that nobody else can change it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::error::FolderError;
use crate::config::files::{self, FileError, Owners, Refused, show_path};
use crate::store::KeysError;
use crate::tokens::KeyFile;

const DATABASE: &str = "portico.db";
const SERVICE: &str = "service.pub";
const ACCESS_KEYS: &str = "access-keys.json";
const PROFILE: &str = "profile.json";
const LOCK: &str = "portico.lock";

/// Suffixes of the files that SQLite keeps beside a database, and of the database itself.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", ""];

/// All files in the folder that Portico trusts, including those that SQLite would read into the database.
const DECIDING: [&str; 6] =
    [DATABASE, "portico.db-wal", "portico.db-shm", "portico.db-journal", SERVICE, ACCESS_KEYS];

/// The prefix of a restored database that is not in its place yet. The rest of its name also names the
/// database that it replaces.
const RESTORED: &str = "portico.db.restored-";
const REPLACED: &str = "portico.db.replaced-";

/// A data folder that belongs to this process for as long as this lives. Its lock is what makes the process the only
/// writer of the SQLite file, and so lets it answer from memory. It says nothing of a store elsewhere.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// The owners whose files are trusted here.
    owners: Owners,
    /// The lock file and folders that locking made, the innermost folder first.
    made_lock: bool,
    made: Vec<PathBuf>,
    /// The kernel releases the lock when the process dies.
    _lock: File,
}

/// The program that uses a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acting {
    /// The daemon: the folder belongs to its user, or to root.
    AsDaemon,
    /// A command. If root runs it, it acts for the daemon's user, to whom root gave the folder.
    AsOwner,
}

impl Acting {
    /// The owners whose files are trusted in an existing folder.
    fn owners(self, folder: &Path) -> Result<Owners, FileError> {
        match self {
            Self::AsOwner if nix::unistd::geteuid().is_root() => files::owners_of(folder),
            _ => Ok(Owners::ours()),
        }
    }
}

/// Follows the name of a file whose content has moved to another store, before the time of the move.
const MOVED: &str = ".moved-";

/// The prefix of an unfinished restore, which may have been interrupted.
const UNFINISHED: &str = ".portico-restore-";

/// The path of the database in a data folder.
pub(crate) fn database_in(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// The owners whose files are trusted in a data folder, and in files that belong to it.
///
/// # Errors
/// [`FolderError::Unsafe`].
pub fn owners_in(folder: &Path, acting: Acting) -> Result<Owners, FolderError> {
    if !folder.exists() {
        return Ok(Owners::ours());
    }
    acting.owners(folder).map_err(|reason| FolderError::Unsafe { path: folder.to_owned(), reason })
}

/// Checks the keys of access tokens in a data folder, if there are any.
///
/// # Errors
/// [`KeysError`].
pub(crate) fn check_access_keys(folder: &Path, acting: Acting) -> Result<(), KeysError> {
    let path = folder.join(ACCESS_KEYS);
    if !path.exists() {
        return Ok(());
    }
    match acting.owners(folder) {
        Ok(owners) => KeyFile::new(path, owners).check(),
        Err(error) => {
            let path = show_path(&path);
            Err(KeysError::Refused(format!("cannot use the keys of access tokens in {path}: {error}")))
        }
    }
}

/// Checks a data folder, or the place where it will be made.
///
/// # Errors
/// [`FolderError::Unsafe`].
pub fn check_folder(folder: &Path, acting: Acting) -> Result<(), FolderError> {
    let unsafe_folder = |reason| FolderError::Unsafe { path: folder.to_owned(), reason };
    if !folder.exists() {
        return files::check_place(folder).map_err(unsafe_folder);
    }
    let owners = acting.owners(folder).map_err(unsafe_folder)?;
    files::check_folder(folder, owners).map_err(unsafe_folder)?;
    for name in DECIDING {
        let file = folder.join(name);
        match files::open_own(&file, File::options().read(true), owners) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&file)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// The public key, in hex, of the service that owns the data. `None`: no service yet.
pub(crate) fn service_of(folder: &Path, acting: Acting) -> Result<Option<String>, FolderError> {
    let path = folder.join(SERVICE);
    if !path.exists() {
        return Ok(None);
    }
    let unsafe_folder = |reason| FolderError::Unsafe { path: folder.to_owned(), reason };
    let owners = acting.owners(folder).map_err(unsafe_folder)?;
    files::read_text(&path, owners).map_err(at(&path))
}

impl DataFolder {
    /// Makes the folder if it is missing, and locks it: two daemons on one database would each assume to know
    /// all open requests. Also finishes an interrupted restore.
    pub(crate) fn take(path: &Path, acting: Acting) -> Result<Self, FolderError> {
        check_folder(path, acting)?;
        let made = files::create_private_dir(path).map_err(at(path))?;
        check_folder(path, acting)?;
        let owners = owners_in(path, acting)?;
        let file = path.join(LOCK);
        let (lock, made_lock) = open_lock(&file, owners).map_err(at(&file))?;
        match lock.try_lock() {
            // Another process released the folder and removed the lock file that we opened: a new lock file counts now.
            Ok(()) if !is_at(&lock, &file) => return Err(FolderError::InUse(path.to_owned())),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(at(&file)(error)),
        }
        files::give_to_owner_of(path, &lock).map_err(at(&file))?;
        let folder = Self { path: path.to_owned(), owners, made_lock, made, _lock: lock };
        folder.finish_restore()?;
        Ok(folder)
    }

    /// Removes the lock and the folders that locking made, if they are otherwise empty: the start failed.
    pub(crate) fn give_back(self) {
        if self.made_lock {
            let _ = fs::remove_file(self.path.join(LOCK));
        }
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }

    /// The file with the profile that was published last.
    pub(crate) fn profile(&self) -> PathBuf {
        self.path.join(PROFILE)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        database_in(&self.path)
    }

    pub(crate) fn access_keys(&self) -> PathBuf {
        self.path.join(ACCESS_KEYS)
    }

    /// Makes the database private.
    pub(super) fn make_private(&self) -> Result<(), FolderError> {
        for companion in COMPANIONS {
            let file = self.path.join(format!("{DATABASE}{companion}"));
            files::make_private(&file, self.owners).map_err(at(&file))?;
        }
        Ok(())
    }

    /// The public key, in hex, of the service that owns the data. `None`: no service yet.
    pub(crate) fn service(&self) -> Result<Option<String>, FolderError> {
        let path = self.path.join(SERVICE);
        files::read_text(&path, self.owners).map_err(at(&path))
    }

    /// Records the service that owns the data, if none is recorded.
    pub(crate) fn remember_service(&self, public_key: &str) -> Result<(), FolderError> {
        let path = self.path.join(SERVICE);
        if self.service()?.is_some() {
            return Ok(());
        }
        files::create_private(&path, public_key).map_err(at(&path))?;
        self.own(&path)
    }

    /// An empty private file for a database to restore. It is deleted unless it is renamed, at the latest when
    /// the folder is locked again.
    pub(crate) fn new_file(&self) -> Result<NamedTempFile, FolderError> {
        tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.path).map_err(at(&self.path))
    }

    /// Replaces the database with a restored one, and keeps the old one. `stamp` makes its name unique.
    /// Returns the path of the old one, if there was one.
    ///
    /// `database` is in this folder and synced to the disk. The restore counts as done after the first rename:
    /// after a crash, the next process that locks the folder finishes it.
    pub(crate) fn replace_database(
        &self,
        database: &Path,
        stamp: &str,
    ) -> Result<Option<PathBuf>, FolderError> {
        self.own(database)?;
        let restored = self.path.join(format!("{RESTORED}{stamp}"));
        fs::rename(database, &restored).map_err(at(database))?;
        self.sync()?;
        self.finish_restore()?;
        Ok(Some(self.path.join(format!("{REPLACED}{stamp}"))).filter(|path| path.exists()))
    }

    /// Renames the database and the file of the access keys, which have moved elsewhere. `stamp` makes their names
    /// unique. Returns the path of the database.
    pub(crate) fn set_database_aside(&self, stamp: &str) -> Result<PathBuf, FolderError> {
        let aside = |name: &str| self.path.join(format!("{name}{MOVED}{stamp}"));
        for name in COMPANIONS.map(|companion| format!("{DATABASE}{companion}")).iter().map(String::as_str) {
            rename_if_there(&self.path.join(name), &aside(name)).map_err(at(&self.path))?;
        }
        rename_if_there(&self.access_keys(), &aside(ACCESS_KEYS)).map_err(at(&self.path))?;
        self.sync()?;
        Ok(aside(DATABASE))
    }

    /// Each step may already be done.
    fn finish_restore(&self) -> Result<(), FolderError> {
        for entry in fs::read_dir(&self.path).map_err(at(&self.path))? {
            let restored = entry.map_err(at(&self.path))?.path();
            let name = restored.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(UNFINISHED) {
                fs::remove_file(&restored).map_err(at(&restored))?;
            }
            let Some(stamp) = name.strip_prefix(RESTORED) else { continue };
            // The log first: SQLite would read it into a database that it does not belong to.
            for companion in COMPANIONS {
                let old = self.path.join(format!("{DATABASE}{companion}"));
                let kept = self.path.join(format!("{REPLACED}{stamp}{companion}"));
                rename_if_there(&old, &kept).map_err(at(&old))?;
            }
            fs::rename(&restored, self.database()).map_err(at(&restored))?;
            self.sync()?;
            tracing::info!(database = %files::show_path(&self.database()), "a restored database is in place");
        }
        Ok(())
    }

    /// Gives files that root makes here to the daemon's user.
    fn own(&self, path: &Path) -> Result<(), FolderError> {
        let given = files::open_own(path, File::options().read(true), self.owners)
            .and_then(|file| files::give_to_owner_of(&self.path, &file));
        given.map_err(at(path))
    }

    /// Syncs the names of files to the disk.
    fn sync(&self) -> Result<(), FolderError> {
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(at(&self.path))
    }
}

/// Opens the lock file, and returns whether it was made.
fn open_lock(file: &Path, owners: Owners) -> io::Result<(File, bool)> {
    let open =
        |new: bool| files::open_own(file, File::options().append(true).create_new(new).mode(0o600), owners);
    match open(false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match open(true) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok((open(false)?, false)),
            made => Ok((made?, true)),
        },
        there => Ok((there?, false)),
    }
}

/// Whether this open file is the one at the path.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(opened), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (opened.dev(), opened.ino()) == (there.dev(), there.ino())
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    |error| match error.downcast::<Refused>() {
        Ok(refused) => FolderError::Unsafe { path, reason: refused.into() },
        // Not an error of the system, but of the rule for our own files: a link, or a hard link.
        Err(error) if error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none() => {
            FolderError::Unsafe { path, reason: error.into() }
        }
        Err(error) => FolderError::Io { path, error },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn take(folder: &Path) -> Result<DataFolder, FolderError> {
        DataFolder::take(folder, Acting::AsDaemon)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name != LOCK);
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_taken_once_and_free_again_when_it_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let taken = take(folder.path()).unwrap();
        assert!(matches!(take(folder.path()), Err(FolderError::InUse(_))));
        drop(taken);
        take(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_is_given_back_is_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("new/data");
        take(&folder).unwrap().give_back();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        drop(take(&folder).unwrap());
        fs::write(folder.join("a.txt"), "").unwrap();
        let taken = take(&folder).unwrap();
        assert!(matches!(take(&folder), Err(FolderError::InUse(_))));
        taken.give_back();
        assert!(folder.join(LOCK).exists() && folder.join("a.txt").exists(), "neither was made by this");
    }

    #[test]
    fn a_folder_in_which_others_can_exchange_the_database_is_refused_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o777, 0o770, 0o1777, 0o702] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            let said = take(folder.path()).unwrap_err().to_string();
            assert!(said.contains("run chmod go-w"), "{mode:o}: {said}");
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        take(folder.path()).unwrap();
    }

    #[test]
    fn a_file_of_the_folder_that_others_can_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in DECIDING.into_iter().chain([LOCK]) {
            let file = folder.path().join(name);
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
            let said = take(folder.path()).unwrap_err().to_string();
            assert!(said.contains(name) && said.contains("run chmod go-w"), "{name}: {said}");
            fs::remove_file(&file).unwrap();
        }
    }

    #[test]
    fn a_file_of_another_user_is_refused_by_the_daemon_and_taken_by_root_who_acts_for_its_owner() {
        if !nix::unistd::geteuid().is_root() {
            return; // Only root can give files away.
        }
        // Not in `/tmp` itself, where everybody can take a place.
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("data");
        fs::create_dir(&folder).unwrap();
        let give = |name: &str| {
            std::os::unix::fs::chown(folder.join(name), Some(65534), Some(65534)).unwrap();
        };
        fs::write(folder.join(DATABASE), "").unwrap();
        give(DATABASE);
        for acting in [Acting::AsDaemon, Acting::AsOwner] {
            let said = DataFolder::take(&folder, acting).unwrap_err().to_string();
            assert!(said.contains("uid 65534") && said.contains("run chown 0"), "{acting:?}: {said}");
        }
        give("");
        let said = take(&folder).unwrap_err().to_string();
        assert!(said.contains("uid 65534"), "{said}");
        DataFolder::take(&folder, Acting::AsOwner).unwrap();
    }

    #[test]
    fn a_link_that_was_put_in_the_place_of_a_file_of_ours_is_refused_and_leads_nowhere() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = elsewhere.path().join("precious");
        let take = || take(folder.path()).and_then(|folder| folder.make_private());
        for name in [LOCK, DATABASE] {
            let link = folder.path().join(name);
            std::os::unix::fs::symlink(&target, &link).unwrap();
            assert!(take().is_err(), "{name}");
            assert!(!target.exists(), "{name}: nor was anything made there");
            fs::write(&target, "").unwrap();
            assert!(take().is_err(), "{name}");
            fs::remove_file(&link).unwrap();
            fs::hard_link(&target, &link).unwrap();
            assert!(take().is_err(), "{name}");
            fs::remove_file(&link).unwrap();
            fs::remove_file(&target).unwrap();
        }
        // Otherwise an error would show the content of the target as the name of another service.
        fs::write(&target, "not for everybody's eyes").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(SERVICE)).unwrap();
        assert!(service_of(folder.path(), Acting::AsDaemon).is_err());
        assert!(take().is_err());
    }

    #[test]
    fn wherever_a_crash_interrupts_a_restore_the_next_to_come_ends_it() {
        for moved in 0..=3 {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            fs::write(at("portico.db.restored-T"), "new").unwrap();
            for (n, companion) in COMPANIONS.iter().enumerate() {
                let name = if n < moved { "portico.db.replaced-T" } else { "portico.db" };
                fs::write(at(&format!("{name}{companion}")), "old").unwrap();
            }
            drop(take(folder.path()).unwrap());
            let expected = ["portico.db", "portico.db.replaced-T", "portico.db.replaced-T-shm"];
            assert_eq!(names(folder.path())[..3], expected, "after {moved} of 3 were moved");
            assert_eq!(names(folder.path()).len(), 4);
            assert_eq!(fs::read_to_string(at("portico.db")).unwrap(), "new");
            assert_eq!(fs::read_to_string(at("portico.db.replaced-T")).unwrap(), "old");
        }
    }
}
