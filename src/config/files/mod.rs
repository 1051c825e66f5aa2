//! Files and folders that Portico trusts (configuration, keys, data): made private, and refused if another user can
//! change them.
//!
//! `rule.rs` has the rule, `walk.rs` applies it to every folder and link on the path to a file. A file is checked by
//! its open descriptor, so that the file that was checked is the one that is read.

mod rule;
mod shown;
mod walk;

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};
use zeroize::Zeroizing;

use rule::{Holding, Use, judge};
pub use rule::{Owners, Refused};
pub use shown::{as_argument, show_path};
pub(super) use shown::{serialize_optional_path, serialize_path};
use walk::{Adopt, Arrived, has_private_group, refused, walk};

/// The reason why a trusted file or folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// An error of the operating system.
    #[error("{}", io_reason(.0))]
    Io(#[from] io::Error),
    /// It is a folder, a pipe or another special file.
    #[error("it is not a file")]
    NotAFile,
    /// Somebody else can change it, or read the secret in it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It is larger than any valid file of its kind.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
}

/// The reason of an error of the operating system, without its number and without words of a library.
pub fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), error.get_ref(), error.kind()) {
        (Some(number), ..) => text.trim_end_matches(&format!(" (os error {number})")).to_owned(),
        (None, None, io::ErrorKind::NotFound) => "it does not exist".into(),
        _ => text,
    }
}

/// The largest secret, or other small file of Portico.
const MAX_SECRET_BYTES: u64 = 16 * 1024;

/// The largest configuration, list of relays, proof or set of certificates.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// The shortest secret for programs, in bytes: nobody can guess 16 random bytes.
pub const MIN_SECRET: usize = 16;

/// Checks a folder of trusted files: only its owner may add files, and the owner is one of these.
///
/// # Errors
/// [`FileError`].
pub fn check_folder(folder: &Path, owners: Owners) -> Result<(), FileError> {
    let arrived = walk(folder, owners, Adopt::Nobody)??;
    judged(&arrived, Use::Folder)
}

/// Checks a folder for a file that is moved there when it is finished: others may add files, as in `/tmp`, but must not
/// be able to remove ours. If the folder does not exist, the nearest existing parent is checked.
///
/// # Errors
/// [`FileError`].
pub fn check_place(folder: &Path) -> Result<(), FileError> {
    check_place_of(folder, Owners::ours())
}

/// The same for folders of these owners.
///
/// # Errors
/// [`FileError`].
pub fn check_place_of(folder: &Path, owners: Owners) -> Result<(), FileError> {
    let arrived = walk(&part_that_is_there(folder)?, owners, Adopt::Nobody)??;
    judged(&arrived, Use::Above)
}

/// The part of a folder's path that exists.
fn part_that_is_there(folder: &Path) -> io::Result<PathBuf> {
    for part in folder.ancestors() {
        let part = if part.as_os_str().is_empty() { Path::new(".") } else { part };
        match fs::metadata(part) {
            Ok(_) => return Ok(part.to_owned()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) if part.is_symlink() => {
                return Err(io::Error::other(format!(
                    "{} is a link to a file that does not exist",
                    show_path(part)
                )));
            }
            // The target of `..` is unknown until the folder in front of it exists.
            Err(error) if part.ends_with("..") => return Err(error),
            Err(_) => {}
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The users who control this path: root, ourselves, and the owner to whom root gave that place, if there is one. For
/// root, who acts for the user that the daemon runs as, and for callers of that user's daemon.
///
/// # Errors
/// [`FileError`].
pub fn owners_of(path: &Path) -> Result<Owners, FileError> {
    Ok(walk(path, Owners::ours(), Adopt::FirstOther)??.owners)
}

fn judged(arrived: &Arrived, used: Use) -> Result<(), FileError> {
    let Arrived { path, metadata, owners } = arrived;
    judge(*owners, holding(metadata), used).map_err(|wrong| refused(path, metadata, *owners, wrong))?;
    Ok(())
}

fn holding(metadata: &Metadata) -> Holding {
    Holding { owner: metadata.uid(), mode: metadata.mode(), private_group: has_private_group(metadata) }
}

/// Opens a trusted file. `None`: the file does not exist.
fn open(path: &Path, owners: Owners, used: impl FnOnce(&Metadata) -> Use) -> Result<Option<File>, FileError> {
    // Without waiting: the open of a named pipe would not return until somebody writes to it.
    let file = match OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if is_null(&metadata) {
        return Ok(Some(file));
    }
    if !metadata.is_file() {
        return Err(FileError::NotAFile);
    }
    judge(owners, holding(&metadata), used(&metadata))
        .map_err(|wrong| refused(path, &metadata, owners, wrong))?;
    let there = walk(path, owners, Adopt::Nobody)??.metadata;
    if (there.dev(), there.ino()) != (metadata.dev(), metadata.ino()) {
        return Err(io::Error::other("it was replaced while it was opened").into());
    }
    Ok(Some(file))
}

/// `/dev/null` counts as an empty file. Everybody may write to it, without effect.
fn is_null(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == nix::libc::makedev(1, 3)
}

/// Opens a trusted file that may be large: a backup to restore. `None`: the file does not exist.
///
/// # Errors
/// [`FileError`].
pub fn open_deciding(path: &Path) -> Result<Option<File>, FileError> {
    open(path, Owners::ours(), |_| Use::Text)
}

/// Reads a secret, without white space around it. `None`: the file does not exist.
///
/// # Errors
/// [`FileError`].
pub fn read_secret(path: &Path) -> Result<Option<Zeroizing<String>>, FileError> {
    read_secret_of(path, Owners::ours())
}

/// Reads a secret of one of these owners.
///
/// # Errors
/// [`FileError`].
pub fn read_secret_of(path: &Path, owners: Owners) -> Result<Option<Zeroizing<String>>, FileError> {
    let Some(mut file) = open(path, owners, |metadata| secret(path, metadata))? else { return Ok(None) };
    let length = file.metadata()?.len();
    if length > MAX_SECRET_BYTES {
        return Err(FileError::TooLarge(MAX_SECRET_BYTES));
    }
    let mut text = Zeroizing::new(String::with_capacity(length as usize));
    file.read_to_string(&mut text)?;
    Ok(Some(Zeroizing::new(text.trim().to_owned())))
}

/// A trusted text.
#[derive(Debug)]
pub struct Text {
    /// The content.
    pub text: String,
    /// The error that the file would have if it contained a secret.
    pub as_secret: Result<(), Refused>,
}

/// Reads a trusted text that is not secret: configuration, relays, proofs. `None`: the file does not
/// exist.
///
/// # Errors
/// [`FileError`].
pub fn read_config(path: &Path) -> Result<Option<Text>, FileError> {
    let owners = Owners::ours();
    let Some(mut file) = open(path, owners, |_| Use::Text)? else { return Ok(None) };
    let metadata = file.metadata()?;
    let as_secret = judge(owners, holding(&metadata), secret(path, &metadata))
        .map_err(|wrong| refused(path, &metadata, owners, wrong));
    let text = String::from_utf8(bounded(&mut file)?);
    let text = text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))?;
    Ok(Some(Text { text, as_secret }))
}

/// Reads a trusted file that is not secret and need not be UTF-8: certificates. `None`: the file does not exist.
///
/// # Errors
/// [`FileError`].
pub fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let file = open(path, Owners::ours(), |_| Use::Text)?;
    file.map(|mut file| bounded(&mut file)).transpose()
}

/// The whole content of a file, up to the largest configuration.
fn bounded(file: &mut File) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_TEXT_BYTES { Err(FileError::TooLarge(MAX_TEXT_BYTES)) } else { Ok(bytes) }
}

/// How a secret is checked: its group may read it if nobody else is in the group.
fn secret(path: &Path, metadata: &Metadata) -> Use {
    Use::Secret { group_is_us: is_systemd_credential(path, metadata) || is_given_to_our_group(metadata) }
}

/// Whether root gave a file to our own group, so that we can read but not change it: a secret of Kubernetes
/// (`fsGroup`, whose group has no name in a container), or one that is `root:portico` for the user `portico`.
fn is_given_to_our_group(metadata: &Metadata) -> bool {
    let (us, group) = (nix::unistd::geteuid(), Gid::from_raw(metadata.gid()));
    if us.is_root() || metadata.uid() != 0 || group.as_raw() == 0 {
        return false;
    }
    let ours =
        nix::unistd::getegid() == group || nix::unistd::getgroups().is_ok_and(|all| all.contains(&group));
    let is_mine = |named: Group| {
        let me = User::from_uid(Uid::from_raw(us.as_raw())).ok().flatten();
        me.is_some_and(|me| me.name == named.name && named.mem.iter().all(|name| *name == me.name))
    };
    ours && Group::from_gid(group).is_ok_and(|named| named.is_none_or(is_mine))
}

/// Writes a new secret, readable only by its owner, and syncs it to the disk. Never overwrites.
pub fn create_secret(path: &Path, secret: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        if !folder.as_os_str().is_empty() {
            create_private_dir(folder)?;
        }
        check_place(folder).map_err(into_io)?;
    }
    create_private(path, secret)
}

/// Writes a new file, readable only by its owner, and syncs it to the disk. Never overwrites, and follows no link.
/// The caller has checked the folder.
pub fn create_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Converts the error for callers that expect an error of the operating system.
fn into_io(error: FileError) -> io::Error {
    match error {
        FileError::Io(error) => error,
        FileError::Refused(refused) => io::Error::other(refused),
        error => io::Error::other(error),
    }
}

/// Opens a file only if these owners own it: a user who may write to the folder could otherwise replace the file with a
/// link, and let a more privileged user change the link's target.
pub fn open_own(path: &Path, options: &mut OpenOptions, owners: Owners) -> io::Result<File> {
    let file =
        options.custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK).open(path).map_err(|error| {
            let is_link = error.raw_os_error() == Some(nix::libc::ELOOP);
            if is_link { io::Error::other("it is a link") } else { error }
        })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(io::Error::other("it is not a regular file, or has hard links"));
    }
    judge(owners, holding(&metadata), Use::Text)
        .map_err(|wrong| io::Error::other(refused(path, &metadata, owners, wrong)))?;
    Ok(file)
}

/// Makes a file private, if it exists.
pub fn make_private(path: &Path, owners: Owners) -> io::Result<()> {
    let file = match open_own(path, OpenOptions::new().read(true), owners) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(file = %show_path(path), mode = format!("{mode:04o}"), "others could read this file: made it private");
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

/// Reads a small file of Portico that is not secret. `None`: the file does not exist.
pub fn read_text(path: &Path, owners: Owners) -> io::Result<Option<String>> {
    let file = match open_own(path, OpenOptions::new().read(true), owners) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(MAX_SECRET_BYTES).read_to_string(&mut text)?;
    Ok(Some(text.trim().to_owned()))
}

/// Makes a folder and its missing parents, each readable only by its owner. Makes nothing in a folder that
/// another user can change. Returns the new folders, the innermost first.
pub fn create_private_dir(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_dir() {
        return Ok(Vec::new());
    }
    check_place(path).map_err(into_io)?;
    let is_missing = |part: &&Path| !part.as_os_str().is_empty() && !part.exists();
    let missing = path.ancestors().take_while(is_missing).map(Path::to_owned).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    Ok(missing)
}

/// Gives a file to the owner of a folder. Only root can do this, and only root needs it: everybody else
/// already owns the files that they make.
pub fn give_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    let (owner, now) = (fs::metadata(folder)?, file.metadata()?);
    if !nix::unistd::geteuid().is_root() || (owner.uid(), owner.gid()) == (now.uid(), now.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))
}

/// Whether systemd made this file for us (`LoadCredential=`). It belongs to root, and an ACL lets us read it. The mask
/// of the ACL shows as the permissions of root's group, but nobody else can read the file.
fn is_systemd_credential(path: &Path, metadata: &Metadata) -> bool {
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
    fn nothing_is_made_in_a_folder_that_others_can_change() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink(&open, folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        for (name, word) in [
            ("open/a", "chmod"),
            ("open/a/b", "chmod"),
            ("link/a", "chmod"),
            ("dangling/a", "is a link to a file that does not exist"),
        ] {
            let path = folder.path().join(name);
            let said = create_private_dir(&path).unwrap_err().to_string();
            assert!(said.contains(word), "{name}: {said}");
            let said = create_secret(&path.join("secret"), "x").unwrap_err().to_string();
            assert!(said.contains(word), "{name}: {said}");
        }
        create_private_dir(&folder.path().join("new/../../open/a")).unwrap_err();
        assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nor anything beside it");
        let made = create_private_dir(&folder.path().join("a/b")).unwrap();
        assert_eq!(made, [folder.path().join("a/b"), folder.path().join("a")]);
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
            let said = read_secret(&path).unwrap_err().to_string();
            assert!(said.contains(&format!("others can read it (mode {mode:04o})")), "{said}");
        }
    }

    #[test]
    fn a_pipe_or_a_folder_in_place_of_a_key_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&pipe, folder.path()] {
            assert!(matches!(read_secret(path), Err(FileError::NotAFile)));
        }
    }

    #[test]
    fn certificates_with_names_in_any_encoding_are_read_and_a_folder_in_their_place_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        fs::write(&path, b"M\xfcller CA\n").unwrap();
        assert_eq!(read_bytes(&path).unwrap().unwrap(), b"M\xfcller CA\n");
        assert!(read_config(&path).unwrap_err().to_string().contains("not UTF-8"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(read_bytes(&path), Err(FileError::Refused(_))));
        assert!(matches!(read_bytes(folder.path()), Err(FileError::NotAFile)));
    }

    #[test]
    fn a_missing_file_is_absent_not_an_error() {
        assert!(read_bytes(Path::new("/nonexistent/portico")).unwrap().is_none());
        assert!(read_secret(Path::new("/nonexistent/portico")).unwrap().is_none());
    }
}
