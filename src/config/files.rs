//! Secrets in files, and the folders they lie in: made private, refused when they are not.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a secret file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The operating system said no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is a folder, a pipe or the like.
    #[error("it is not a file")]
    NotAFile,
    /// Others than the owner may read it.
    #[error("others can read it (mode {0:04o}): run chmod 600 on it")]
    Exposed(u32),
    /// It belongs to another user, who could change it.
    #[error("it belongs to uid {0}, neither to this user nor to root")]
    ForeignOwner(u32),
    /// It is larger than any secret.
    #[error("it is larger than {MAX_SECRET_BYTES} bytes")]
    TooLarge,
}

/// Why a folder cannot be trusted with a socket or a database: whoever can change what lies in it can put one of
/// their own there, and has what was meant for ours.
#[derive(Debug, thiserror::Error)]
pub enum UnsafeFolder {
    /// The operating system said no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It belongs to another user, or is a link of theirs.
    #[error("it belongs to uid {0}, neither to this user nor to root")]
    ForeignOwner(u32),
    /// Everybody can write there, and remove what is not theirs.
    #[error("everybody can change what lies in it (mode {0:04o}): run chmod 700 on it")]
    Exposed(u32),
}

/// Checks that nobody but this user and root can put something in the place of what lies in a folder.
pub fn check_folder_of_socket(folder: &Path) -> Result<(), UnsafeFolder> {
    for owner in [fs::symlink_metadata(folder)?.uid(), fs::metadata(folder)?.uid()] {
        if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
            return Err(UnsafeFolder::ForeignOwner(owner));
        }
    }
    refuse_if_all_may_write(folder)
}

/// Checks that not everybody can put something in the place of what lies in a folder.
pub fn refuse_if_all_may_write(folder: &Path) -> Result<(), UnsafeFolder> {
    /// Only its owner may remove a file, as in `/tmp`.
    const STICKY: u32 = 0o1000;

    let mode = fs::metadata(folder)?.mode() & 0o7777;
    if mode & 0o002 != 0 && mode & STICKY == 0 { Err(UnsafeFolder::Exposed(mode)) } else { Ok(()) }
}

/// No secret, or other small text, that is kept in a file is longer than this.
const MAX_SECRET_BYTES: u64 = 16 * 1024;

/// The shortest secret for programs, in bytes: 16 random ones are beyond guessing.
pub(super) const MIN_SECRET: usize = 16;

/// Reads a secret, its white space trimmed. `None`: there is no such file.
pub fn read_secret(path: &Path) -> Result<Option<Zeroizing<String>>, SecretFileError> {
    // Without waiting: the open of a named pipe would not return until somebody writes to it.
    let opened = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(SecretFileError::NotAFile);
    }
    private(path, &metadata)?;
    if metadata.len() > MAX_SECRET_BYTES {
        return Err(SecretFileError::TooLarge);
    }
    let mut text = Zeroizing::new(String::with_capacity(metadata.len() as usize));
    file.read_to_string(&mut text)?;
    Ok(Some(Zeroizing::new(text.trim().to_owned())))
}

/// Refuses a file with a secret in it that others can read or change. For what is read by other means.
pub(super) fn refuse_if_exposed(path: &Path) -> Result<(), SecretFileError> {
    private(path, &fs::metadata(path)?)
}

fn private(path: &Path, metadata: &fs::Metadata) -> Result<(), SecretFileError> {
    let mode = metadata.mode() & 0o777;
    let forbidden = if is_systemd_credential(path, metadata) { 0o007 } else { 0o077 };
    let owner = metadata.uid();
    if mode & forbidden != 0 {
        Err(SecretFileError::Exposed(mode))
    } else if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        Err(SecretFileError::ForeignOwner(owner))
    } else {
        Ok(())
    }
}

/// Writes a new secret, readable by its owner alone, and sees it to the disk. Never overwrites.
pub fn create_secret(path: &Path, secret: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_private_dir(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Opens a file of ours and no other: whoever may write to its folder could have put a link to any file in its
/// place, and have that changed by whoever may do more.
pub fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file =
        options.custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK).open(path).map_err(|error| {
            let is_link = error.raw_os_error() == Some(nix::libc::ELOOP);
            if is_link { io::Error::other("it is a link") } else { error }
        })?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.nlink() == 1 {
        return Ok(file);
    }
    Err(io::Error::other("it is no file, or has other names"))
}

/// Takes a file away from the eyes of others, if it is there.
pub fn make_private(path: &Path) -> io::Result<()> {
    let file = match open_own(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(file = %path.display(), mode = format!("{mode:04o}"), "others could read this: made it private");
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

/// A small text of ours that is no secret. `None`: there is no such file.
pub fn read_text(path: &Path) -> io::Result<Option<String>> {
    let file = match open_own(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(MAX_SECRET_BYTES).read_to_string(&mut text)?;
    Ok(Some(text.trim().to_owned()))
}

/// Makes a folder and what is missing above it, each readable by its owner alone.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Gives a file to whom a folder belongs. Only root can, and only for root is there anything to do: the files
/// of everybody else are their own.
pub fn give_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    let (owner, now) = (fs::metadata(folder)?, file.metadata()?);
    if !nix::unistd::geteuid().is_root() || (owner.uid(), owner.gid()) == (now.uid(), now.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))
}

/// Whether systemd made this file for us (`LoadCredential=`). It belongs to root and lets us in by an ACL, whose
/// mask shows as the permissions of its group, root's: nobody else can read it.
fn is_systemd_credential(path: &Path, metadata: &fs::Metadata) -> bool {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let lies_in = |folder: &PathBuf| folder.is_absolute() && path.parent() == Some(folder);
    folder.as_ref().is_some_and(lies_in) && (metadata.uid(), metadata.gid()) == (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_secret_is_private_and_reads_back_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/secret");
        create_secret(&path, "hunter2").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(read_secret(&path).unwrap().unwrap().as_str(), "hunter2");
    }

    #[test]
    fn an_existing_secret_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        create_secret(&path, "first").unwrap();
        assert_eq!(create_secret(&path, "second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn another_user_on_the_machine_who_could_read_the_key_makes_us_refuse_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        create_secret(&path, "x").unwrap();
        for mode in [0o604, 0o640, 0o644, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read_secret(&path), Err(SecretFileError::Exposed(found)) if found == mode));
        }
    }

    #[test]
    fn a_pipe_or_a_folder_in_place_of_a_key_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&pipe, folder.path()] {
            assert!(matches!(read_secret(path), Err(SecretFileError::NotAFile)));
        }
    }

    #[test]
    fn a_missing_file_is_absent_not_an_error() {
        assert!(read_secret(Path::new("/nonexistent/portico")).unwrap().is_none());
    }
}
