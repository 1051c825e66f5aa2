//! The one rule for files and folders that Portico trusts. Pure: it compares owners and modes, and reads nothing.
//!
//! A trusted file belongs to us or to root, and nobody else can change it; nobody else can read a secret. The same
//! holds for every folder on its path: a user who can rename a folder can replace it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::shown::as_argument;

/// Only its owner may remove an entry of such a folder, as in `/tmp`.
const STICKY: u32 = 0o1000;

/// Mode bits: what users other than the owner may do.
const OTHERS_WRITE: u32 = 0o022;
const OTHERS_ANYTHING: u32 = 0o077;

/// The owners whose files we trust: root, the user who runs this, and one more user if we act for that user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owners {
    pub(super) us: u32,
    pub(super) also: Option<u32>,
}

impl Owners {
    /// Root, and the user who runs this program.
    pub fn ours() -> Self {
        Self { us: nix::unistd::geteuid().as_raw(), also: None }
    }

    /// The user ids.
    pub fn uids(self) -> Vec<u32> {
        [Some(0), Some(self.us), self.also].into_iter().flatten().collect()
    }

    pub(super) fn include(self, uid: u32) -> bool {
        uid == 0 || uid == self.us || Some(uid) == self.also
    }
}

/// The use of a file or folder, which decides what others may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A file that others may read.
    Text,
    /// A file that nobody else may read. `true`: nobody else is in its group.
    Secret { group_is_us: bool },
    /// A folder of trusted files: nobody else may add files.
    Folder,
    /// A folder that others may add files to, if they cannot remove other files: a parent folder, or the folder of
    /// a socket, which is moved there when it is finished.
    Above,
}

/// An owner and a mode, as the file system has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) owner: u32,
    pub(super) mode: u32,
    /// The group is the private group of the owner, without other members: it adds nobody.
    pub(super) private_group: bool,
}

/// The fault of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Owner,
    Writable,
    Readable,
}

/// Checks a file or folder against the rule.
pub(super) fn judge(owners: Owners, held: Holding, used: Use) -> Result<(), Wrong> {
    if !owners.include(held.owner) {
        return Err(Wrong::Owner);
    }
    let of_group = if held.private_group { 0o020 } else { 0 };
    let writable = held.mode & OTHERS_WRITE;
    match used {
        Use::Secret { group_is_us } => {
            let forbidden = if group_is_us { OTHERS_ANYTHING & !0o040 } else { OTHERS_ANYTHING };
            if held.mode & forbidden != 0 { Err(Wrong::Readable) } else { Ok(()) }
        }
        Use::Text if writable & !of_group != 0 => Err(Wrong::Writable),
        Use::Folder if writable != 0 => Err(Wrong::Writable),
        Use::Above if writable & !of_group != 0 && held.mode & STICKY == 0 => Err(Wrong::Writable),
        Use::Text | Use::Folder | Use::Above => Ok(()),
    }
}

/// The reason why a file or folder is not trusted, and the command that fixes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(super) path: PathBuf,
    pub(super) wrong: Wrong,
    pub(super) owner: u32,
    pub(super) mode: u32,
    pub(super) us: u32,
    pub(super) is_folder: bool,
}

impl Refused {
    /// The file or folder with the fault: the requested one, or one on its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = as_argument(&self.path);
        let mode = self.mode & 0o7777;
        match (self.wrong, self.is_folder) {
            (Wrong::Owner, _) => {
                let Self { owner, us, .. } = self;
                let or_root = if *us == 0 { "" } else { ", or to root" };
                write!(
                    f,
                    "{path} belongs to uid {owner}, but must belong to uid {us}, which runs this command{or_root}: run chown {us} {path}"
                )
            }
            (Wrong::Writable, true) => {
                write!(
                    f,
                    "others can change the files in the folder {path} (mode {mode:04o}): run chmod go-w {path}"
                )
            }
            (Wrong::Writable, false) => {
                write!(f, "others can change {path} (mode {mode:04o}): run chmod go-w {path}")
            }
            (Wrong::Readable, _) => {
                write!(f, "others can read it (mode {mode:04o}): run chmod 600 {path}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u32 = 1000;
    const OWNERS: Owners = Owners { us: US, also: None };

    fn judged(owner: u32, mode: u32, used: Use) -> Result<(), Wrong> {
        judge(OWNERS, Holding { owner, mode, private_group: false }, used)
    }

    #[test]
    fn only_root_and_the_user_who_runs_this_own_what_decides() {
        for used in [Use::Text, Use::Secret { group_is_us: false }, Use::Folder, Use::Above] {
            assert_eq!(judged(US, 0o600, used), Ok(()));
            assert_eq!(judged(0, 0o600, used), Ok(()));
            assert_eq!(judged(1001, 0o600, used), Err(Wrong::Owner), "{used:?}");
        }
    }

    #[test]
    fn whatever_a_group_or_everybody_can_write_decides_nothing() {
        for mode in [0o620, 0o602, 0o666, 0o664] {
            assert_eq!(judged(US, mode, Use::Text), Err(Wrong::Writable), "{mode:o}");
            assert_eq!(judged(US, mode, Use::Folder), Err(Wrong::Writable), "{mode:o}");
            assert_eq!(judged(US, mode, Use::Above), Err(Wrong::Writable), "{mode:o}");
        }
        assert_eq!(judged(US, 0o644, Use::Text), Ok(()), "reading is no harm");
    }

    #[test]
    fn a_sticky_folder_is_a_way_and_no_place_for_what_decides() {
        assert_eq!(judged(0, 0o1777, Use::Above), Ok(()));
        assert_eq!(judged(0, 0o1777, Use::Folder), Err(Wrong::Writable));
        assert_eq!(judged(0, 0o1770, Use::Folder), Err(Wrong::Writable));
    }

    #[test]
    fn a_secret_is_for_its_owner_alone_and_may_be_read_by_a_group_that_is_nobody_but_us() {
        for mode in [0o640, 0o604, 0o610, 0o601, 0o620] {
            assert_eq!(
                judged(US, mode, Use::Secret { group_is_us: false }),
                Err(Wrong::Readable),
                "{mode:o}"
            );
        }
        assert_eq!(judged(0, 0o440, Use::Secret { group_is_us: true }), Ok(()));
        for mode in [0o444, 0o460, 0o450] {
            assert_eq!(judged(0, mode, Use::Secret { group_is_us: true }), Err(Wrong::Readable), "{mode:o}");
        }
    }

    #[test]
    fn a_group_of_the_owner_alone_may_write_texts_and_folders_above_and_nothing_else() {
        let judged = |mode, used| judge(OWNERS, Holding { owner: US, mode, private_group: true }, used);
        assert_eq!(judged(0o664, Use::Text), Ok(()), "what an umask of 002 makes");
        assert_eq!(judged(0o775, Use::Above), Ok(()));
        assert_eq!(judged(0o666, Use::Text), Err(Wrong::Writable));
        assert_eq!(judged(0o770, Use::Folder), Err(Wrong::Writable));
        assert_eq!(judged(0o660, Use::Secret { group_is_us: false }), Err(Wrong::Readable));
    }

    #[test]
    fn a_refusal_names_the_command_that_mends_it() {
        let refused = |wrong, is_folder| {
            let path = PathBuf::from("/etc/portico/x y");
            Refused { path, wrong, owner: 1001, mode: 0o100_664, us: US, is_folder }.to_string()
        };
        assert!(refused(Wrong::Owner, false).ends_with("run chown 1000 '/etc/portico/x y'"));
        assert!(refused(Wrong::Writable, false).ends_with("(mode 0664): run chmod go-w '/etc/portico/x y'"));
        assert!(refused(Wrong::Readable, false).ends_with("run chmod 600 '/etc/portico/x y'"));
        assert!(refused(Wrong::Writable, true).contains("the files in the folder"));
    }
}
