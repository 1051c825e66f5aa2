//! Follows the path to a file as the kernel does, and checks every folder and link on it by the rule.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};

use super::rule::{Holding, Owners, Refused, Use, Wrong, judge};

/// The most links on the path to one file: as many as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// The file or folder at the end of a path that nobody else could have redirected.
#[derive(Debug)]
pub(super) struct Arrived {
    /// Its path, without links.
    pub(super) path: PathBuf,
    /// Metadata of the file or folder.
    pub(super) metadata: Metadata,
    /// The users who could have put it there: root, we, and at most one more ([`Adopt`]).
    pub(super) owners: Owners,
}

/// Whether another user may own a folder on the path; from there on we act for that user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adopt {
    /// No.
    Nobody,
    /// The first other owner on the path, if only root and we could give them that place: for root in the data folder
    /// of the daemon's user, and for callers of that daemon's socket. In `/tmp`, anybody can take a place.
    FirstOther,
}

/// Follows `path`.
///
/// # Errors
/// `Ok(Err(…))`: another user can change where it leads.
pub(super) fn walk(path: &Path, owners: Owners, adopt: Adopt) -> io::Result<Result<Arrived, Refused>> {
    let mut way = Way { at: PathBuf::from("/"), owners, adopt, links: 0, left: Vec::new() };
    way.push(&std::path::absolute(path)?);
    let mut metadata = fs::symlink_metadata("/")?;
    while let Some(name) = way.left.pop() {
        match way.step(&name, &metadata)? {
            Ok(next) => metadata = next,
            Err(refused) => return Ok(Err(refused)),
        }
    }
    Ok(Ok(Arrived { path: way.at, metadata, owners: way.owners }))
}

struct Way {
    at: PathBuf,
    owners: Owners,
    adopt: Adopt,
    links: usize,
    /// The rest of the path, the next step last.
    left: Vec<OsString>,
}

impl Way {
    /// Goes this way first.
    fn push(&mut self, path: &Path) {
        if path.is_absolute() {
            self.at = PathBuf::from("/");
        }
        let names = path.components().rev().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        });
        self.left.extend(names);
    }

    /// Steps from the folder with the metadata `here` to the entry with this name. Returns the new metadata.
    fn step(&mut self, name: &OsString, here: &Metadata) -> io::Result<Result<Metadata, Refused>> {
        if let Err(refused) = self.judge_folder(here) {
            return Ok(Err(refused));
        }
        if name == ".." {
            self.at.pop();
            return fs::symlink_metadata(&self.at).map(Ok);
        }
        let next = self.at.join(name);
        let entry = fs::symlink_metadata(&next)?;
        let shared = here.mode() & 0o022 != 0;
        // The folder's owner controls its links. A link's owner matters only if others may add files to the folder.
        let is_above = entry.is_dir() && !self.left.is_empty();
        let matters = (!entry.is_symlink() || shared) && !(is_above && is_outside(entry.uid()));
        if matters && !self.owners.include(entry.uid()) && !self.may_adopt(shared, &entry) {
            return Ok(Err(self.refused(&next, &entry, Wrong::Owner)));
        }
        if !entry.is_symlink() {
            self.at = next;
            return Ok(Ok(entry));
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(io::Error::from_raw_os_error(nix::libc::ELOOP));
        }
        self.push(&fs::read_link(&next)?);
        fs::symlink_metadata(&self.at).map(Ok)
    }

    /// Only for folders: a file that root gave somebody does not say who controls other files. Never for users outside
    /// our user namespace, because they all look like one user.
    fn may_adopt(&mut self, shared: bool, entry: &Metadata) -> bool {
        let is_first = self.adopt == Adopt::FirstOther && self.owners.also.is_none();
        let may = is_first && !shared && entry.is_dir() && !is_outside(entry.uid());
        if may {
            self.owners.also = Some(entry.uid());
        }
        may
    }

    fn judge_folder(&self, folder: &Metadata) -> Result<(), Refused> {
        if !folder.is_dir() {
            return Ok(()); // The next step reports that it is not a folder.
        }
        // Nobody can replace the root folder, whoever owns it. A user outside our namespace shows as `nobody`,
        // and no user here can become `nobody`.
        let owner = if self.at == Path::new("/") || is_outside(folder.uid()) { 0 } else { folder.uid() };
        let held = Holding { owner, mode: folder.mode(), private_group: has_private_group(folder) };
        judge(self.owners, held, Use::Above).map_err(|wrong| self.refused(&self.at, folder, wrong))
    }

    fn refused(&self, path: &Path, metadata: &Metadata, wrong: Wrong) -> Refused {
        refused(path, metadata, self.owners, wrong)
    }
}

/// The error for the present place.
pub(super) fn refused(path: &Path, metadata: &Metadata, owners: Owners, wrong: Wrong) -> Refused {
    Refused {
        path: path.to_owned(),
        wrong,
        owner: metadata.uid(),
        mode: metadata.mode(),
        us: owners.also.unwrap_or(owners.us),
        is_folder: metadata.is_dir(),
    }
}

/// Whether the group of a file is the private group of its owner, without other members, as Debian and Fedora give
/// every user (with an umask of 002, which makes all files group-writable). Root's group does not count.
pub(super) fn has_private_group(metadata: &Metadata) -> bool {
    // Look-ups are slow, and most files need none.
    if metadata.mode() & 0o020 == 0 || metadata.uid() == 0 || metadata.gid() == 0 {
        return false;
    }
    let Ok(Some(owner)) = User::from_uid(Uid::from_raw(metadata.uid())) else { return false };
    let Ok(Some(group)) = Group::from_gid(Gid::from_raw(metadata.gid())) else { return false };
    owner.gid == group.gid && owner.name == group.name && group.mem.iter().all(|name| *name == owner.name)
}

/// Whether this uid represents the users outside our user namespace (user_namespaces(7)).
fn is_outside(uid: u32) -> bool {
    /// The uid that the kernel shows for them by default.
    const OVERFLOW: u32 = 65534;

    uid == OVERFLOW && fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !is_mapped(&map, uid))
}

/// Whether a uid is in our namespace, by the text of `uid_map`. Each line has the first uid inside, the first uid
/// outside, and the count.
fn is_mapped(map: &str, uid: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u32>().unwrap_or_default());
        let (first, count) = (numbers.next().unwrap_or_default(), numbers.nth(1).unwrap_or_default());
        uid.checked_sub(first).is_some_and(|place| place < count)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn go(path: &Path) -> Result<PathBuf, String> {
        match walk(path, Owners::ours(), Adopt::Nobody) {
            Ok(arrived) => arrived.map(|arrived| arrived.path).map_err(|refused| refused.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn allow(folder: &Path, mode: u32) {
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_far_above_in_which_others_can_exchange_the_way_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("f"), "").unwrap();
        assert!(go(&deep.join("f")).unwrap().ends_with("a/b/c/f"));
        allow(&folder.path().join("a"), 0o777);
        let said = go(&deep.join("f")).unwrap_err();
        assert!(said.contains("the folder") && said.contains("/a (mode 0777)"), "{said}");
        allow(&folder.path().join("a"), 0o1777);
        assert!(go(&deep.join("f")).is_ok(), "where only the owner of an entry can exchange it");
    }

    #[test]
    fn a_link_is_followed_and_its_way_is_judged_too() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("real/inner")).unwrap();
        fs::write(at("real/f"), "").unwrap();
        symlink("real/inner/../f", at("relative")).unwrap();
        symlink(at("real"), at("absolute")).unwrap();
        for way in ["relative", "absolute/f", "absolute/../real/f", "real/./inner/../f"] {
            assert_eq!(go(&at(way)).unwrap(), fs::canonicalize(at("real/f")).unwrap(), "{way}");
        }
        allow(&at("real"), 0o703);
        for way in ["relative", "absolute/f"] {
            assert!(go(&at(way)).unwrap_err().contains("0703"), "{way}");
        }
    }

    #[test]
    fn links_in_a_circle_end() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        assert!(go(&folder.path().join("a")).unwrap_err().contains("levels of symbolic links"));
    }

    #[test]
    fn what_is_not_there_is_an_error_of_the_system() {
        let error = walk(Path::new("/nonexistent/portico/x"), Owners::ours(), Adopt::Nobody).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn somebody_elses_place_in_a_folder_for_all_is_never_adopted() {
        if !nix::unistd::geteuid().is_root() {
            return; // Only root can give files away.
        }
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(65534), Some(65534)).unwrap();
        let adopt = || walk(&theirs, Owners::ours(), Adopt::FirstOther).unwrap();
        assert_eq!(adopt().unwrap().owners.also, Some(65534), "root put it there");
        assert!(go(&theirs).unwrap_err().contains("uid 65534"));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        std::os::unix::fs::chown(&file, Some(65534), Some(65534)).unwrap();
        let of_file = walk(&file, Owners::ours(), Adopt::FirstOther).unwrap();
        assert!(of_file.unwrap_err().to_string().contains("uid 65534"), "a file is no place");
        allow(folder.path(), 0o1777);
        assert!(adopt().unwrap_err().to_string().contains("uid 65534"), "they took the place themselves");
    }

    #[test]
    fn nobody_is_outside_of_a_namespace_only_if_it_does_not_know_them() {
        assert!(is_mapped("         0          0 4294967295\n", 65534));
        assert!(is_mapped("0 1000 1\n1 100000 65536\n", 65534));
        assert!(!is_mapped("1000 1000 1\n", 65534));
        assert!(!is_mapped("0 0 1\n1000 1000 1\n", 65534));
    }
}
