//! The data folder: what lies where in it, and that it is ours alone.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::error::FolderError;
use crate::config::files::{self, FileError, Owners, Refused};
use crate::tokens::{KeyFileError, Mint};

const DATABASE: &str = "portico.db";
const SERVICE: &str = "service.pub";
const ACCESS_KEYS: &str = "access-keys.json";
const PROFILE: &str = "profile.json";
const LOCK: &str = "portico.lock";

/// What SQLite keeps beside a database, by what is appended to its name.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", ""];

/// What decides besides, and would be read into the database if somebody else could put it there.
const DECIDING: [&str; 6] =
    [DATABASE, "portico.db-wal", "portico.db-shm", "portico.db-journal", SERVICE, ACCESS_KEYS];

/// A restored database that has not taken its place yet, by what its name begins with. The rest of it is
/// part of the name under which the one before is kept.
const RESTORED: &str = "portico.db.restored-";
const REPLACED: &str = "portico.db.replaced-";

/// A data folder that belongs to this process for as long as this lives. Its lock is what makes the process the only
/// writer of the SQLite file, and so lets it answer from memory. It says nothing of a store elsewhere.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Whose files count here.
    owners: Owners,
    /// What taking it has made: the lock, and folders with the innermost first.
    made_lock: bool,
    made: Vec<PathBuf>,
    /// The kernel lets go of it when the process dies.
    _lock: File,
}

/// Who works on a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acting {
    /// The daemon: the folder is its own, or root's.
    AsDaemon,
    /// A command. Run by root, it acts for the user that the daemon runs as: whom root gave the folder.
    AsOwner,
}

impl Acting {
    /// Whose files count in a folder that is there.
    fn owners(self, folder: &Path) -> Result<Owners, FileError> {
        match self {
            Self::AsOwner if nix::unistd::geteuid().is_root() => files::owners_of(folder),
            _ => Ok(Owners::ours()),
        }
    }
}

/// A database that is being restored, and may not come to it.
const UNFINISHED: &str = ".portico-restore-";

/// Where the database of a data folder lies.
pub(crate) fn database_in(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Whose files count in a data folder, and in what belongs to it.
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
/// [`KeyFileError`].
pub(crate) fn check_access_keys(folder: &Path, acting: Acting) -> Result<(), KeyFileError> {
    let path = folder.join(ACCESS_KEYS);
    if !path.exists() {
        return Ok(());
    }
    match acting.owners(folder) {
        Ok(owners) => Mint::check(&path, owners),
        Err(error) => Err(KeyFileError::File { path, error }),
    }
}

/// Checks a data folder, or the place where it is to be made.
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

/// The public key, in hex, of the service whose data these are. `None`: nobody's yet.
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
    /// Makes the folder if need be, and takes it: two daemons on one database would both believe that they
    /// know what is open. Ends what a restore that was interrupted has begun.
    pub(crate) fn take(path: &Path, acting: Acting) -> Result<Self, FolderError> {
        check_folder(path, acting)?;
        let made = files::create_private_dir(path).map_err(at(path))?;
        check_folder(path, acting)?;
        let owners = owners_in(path, acting)?;
        let file = path.join(LOCK);
        let (lock, made_lock) = open_lock(&file, owners).map_err(at(&file))?;
        match lock.try_lock() {
            // Whoever gave the folder back has removed the lock that we opened: another one counts by now.
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

    /// Removes what taking the folder has made, as far as nothing else lies there: it came to nothing.
    pub(crate) fn give_back(self) {
        if self.made_lock {
            let _ = fs::remove_file(self.path.join(LOCK));
        }
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }

    /// Where it is kept which profile was published last.
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

    /// Takes the database away from the eyes of others.
    pub(super) fn make_private(&self) -> Result<(), FolderError> {
        for companion in COMPANIONS {
            let file = self.path.join(format!("{DATABASE}{companion}"));
            files::make_private(&file, self.owners).map_err(at(&file))?;
        }
        Ok(())
    }

    /// The public key, in hex, of the service whose data these are. `None`: nobody's yet.
    pub(crate) fn service(&self) -> Result<Option<String>, FolderError> {
        let path = self.path.join(SERVICE);
        files::read_text(&path, self.owners).map_err(at(&path))
    }

    /// Remembers whose data these are, if that is not known.
    pub(crate) fn remember_service(&self, public_key: &str) -> Result<(), FolderError> {
        let path = self.path.join(SERVICE);
        if self.service()?.is_some() {
            return Ok(());
        }
        files::create_private(&path, public_key).map_err(at(&path))?;
        self.own(&path)
    }

    /// An empty file, readable by its owner alone, for a database to be restored. It goes unless it is renamed,
    /// at the latest when the folder is taken again.
    pub(crate) fn new_file(&self) -> Result<NamedTempFile, FolderError> {
        tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.path).map_err(at(&self.path))
    }

    /// Puts a finished database in the place of the one that is there, which is kept. `stamp` tells it
    /// apart from earlier ones. Returns where the old one lies, if there was one.
    ///
    /// `database` lies in this folder and is on the disk. From its first renaming on the restore counts as
    /// done: a crash behind that is made good by whoever takes the folder next.
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

    /// Every step may have been taken already.
    fn finish_restore(&self) -> Result<(), FolderError> {
        for entry in fs::read_dir(&self.path).map_err(at(&self.path))? {
            let restored = entry.map_err(at(&self.path))?.path();
            let name = restored.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(UNFINISHED) {
                fs::remove_file(&restored).map_err(at(&restored))?;
            }
            let Some(stamp) = name.strip_prefix(RESTORED) else { continue };
            // The log first: beside another database than its own, it would be read into that.
            for companion in COMPANIONS {
                let old = self.path.join(format!("{DATABASE}{companion}"));
                let kept = self.path.join(format!("{REPLACED}{stamp}{companion}"));
                rename_if_there(&old, &kept).map_err(at(&old))?;
            }
            fs::rename(&restored, self.database()).map_err(at(&restored))?;
            self.sync()?;
            tracing::info!(database = %files::show_path(&self.database()), "a restored database took its place");
        }
        Ok(())
    }

    /// What root makes here in the daemon's stead is to be the daemon's.
    fn own(&self, path: &Path) -> Result<(), FolderError> {
        let given = files::open_own(path, File::options().read(true), self.owners)
            .and_then(|file| files::give_to_owner_of(&self.path, &file));
        given.map_err(at(path))
    }

    /// Sees names to the disk.
    fn sync(&self) -> Result<(), FolderError> {
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(at(&self.path))
    }
}

/// Opens the lock, and says whether it was made.
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

/// Whether this is the file that lies there.
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
        // Not the system, but the rule for our own files: a link, or a second name.
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
        // What it leads to would be shown as the name of another service.
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
