//! Finds the users and groups that the configuration lets call and that cannot reach the Unix socket, and rows that
//! change nothing. For warnings alone: the kernel and the guard decide.

use std::ffi::CString;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, geteuid, getgrouplist};

use crate::config::files::show_path;
use crate::config::{Account, Config, Local};

/// To connect, a process has to write to the socket, and to search each folder on the way.
const WRITE: u32 = 0o2;
const SEARCH: u32 = 0o1;

/// The mode of a folder that the daemon makes.
const PRIVATE: u32 = 0o700;

/// A file or folder, as far as it matters who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    path: PathBuf,
    uid: u32,
    gid: u32,
    mode: u32,
}

/// A caller that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    /// A user and its groups.
    User { uid: u32, groups: Vec<u32> },
    /// Somebody in a group, of whom nothing more is known.
    Member { gid: u32 },
}

/// What the operator should know about the rows of `[[local.allow]]`, `allow_uids` and `allow_gids`. `socket` is the
/// open socket; `None`: it will be opened as configured.
pub fn warnings(config: &Config, socket: Option<&Path>) -> Vec<String> {
    let local = &config.local;
    let owner = fs::metadata(&config.data_dir).map_or_else(|_| geteuid().as_raw(), |data| data.uid());
    let socket = socket.and_then(|path| entry(path).ok()).unwrap_or_else(|| planned(local, owner));
    let folders = folders_to(&socket.path, owner);
    let mut named: Vec<_> = local.allowed().into_iter().map(|row| row.who).collect();
    named.sort_unstable_by_key(|who| match who {
        Account::User(uid) => (0, *uid),
        Account::Group(gid) => (1, *gid),
    });
    named.dedup();
    named.into_iter().filter_map(|who| warning(who, owner, &socket, &folders)).collect()
}

fn warning(who: Account, owner: u32, socket: &Entry, folders: &[Entry]) -> Option<String> {
    if let Account::User(uid) = who
        && (uid == 0 || uid == owner)
    {
        let whose = if uid == 0 { "root" } else { "the daemon's own user" };
        return Some(format!(
            "[local] names {whose} (uid {uid}), which has every right without a row: this row changes nothing"
        ));
    }
    let who = Named::of(who);
    if let Some(folder) = folders.iter().find(|folder| !who.may(SEARCH, folder)) {
        return Some(format!(
            "[local] lets {who} call, but {} (mode {:04o}) keeps them out: set local.socket to a path in a folder that \
             they can enter, such as /run/portico/portico.sock",
            show_path(&folder.path),
            folder.mode,
        ));
    }
    (!who.may(WRITE, socket)).then(|| {
        format!(
            "[local] lets {who} call, but the socket {} (mode {:04o}, gid {}) keeps them out: set local.socket_mode to \
             \"0660\" and local.socket_group to a group of theirs, or local.socket_mode to \"0666\" (if a service \
             manager opens the socket: SocketMode= and SocketGroup=)",
            show_path(&socket.path),
            socket.mode,
            socket.gid,
        )
    })
}

impl Named {
    fn of(account: Account) -> Self {
        match account {
            Account::Group(gid) => Self::Member { gid },
            Account::User(uid) => {
                let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
                let groups = user.and_then(|user| {
                    let name = CString::new(user.name).ok()?;
                    getgrouplist(&name, user.gid).ok()
                });
                let groups = groups.unwrap_or_default().into_iter().map(Gid::as_raw).collect();
                Self::User { uid, groups }
            }
        }
    }

    /// By the classes of POSIX: the first that fits decides.
    fn may(&self, what: u32, entry: &Entry) -> bool {
        let (is_owner, is_in_group) = match self {
            Self::User { uid, groups } => (*uid == entry.uid, groups.contains(&entry.gid)),
            Self::Member { gid } => (false, *gid == entry.gid),
        };
        let class = match (is_owner, is_in_group) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        (entry.mode >> class) & what == what
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, id, name) = match self {
            Self::User { uid, .. } => {
                ("uid", *uid, User::from_uid(Uid::from_raw(*uid)).ok().flatten().map(|user| user.name))
            }
            Self::Member { gid } => (
                "members of gid",
                *gid,
                Group::from_gid(Gid::from_raw(*gid)).ok().flatten().map(|group| group.name),
            ),
        };
        write!(f, "{what} {id}")?;
        name.map_or(Ok(()), |name| write!(f, " ({name})"))
    }
}

fn entry(path: &Path) -> std::io::Result<Entry> {
    let metadata = fs::metadata(path)?;
    let (uid, gid, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
    Ok(Entry { path: path.to_owned(), uid, gid, mode })
}

/// The socket as the daemon will open it.
fn planned(local: &Local, owner: u32) -> Entry {
    let gid = local.socket_gid.unwrap_or_else(|| {
        let user = User::from_uid(Uid::from_raw(owner)).ok().flatten();
        user.map_or(u32::MAX, |user| user.gid.as_raw())
    });
    Entry { path: local.socket.clone(), uid: owner, gid, mode: local.socket_mode }
}

/// The folders on the way to a socket, the outermost first. One that is not there yet will be the daemon's own.
fn folders_to(socket: &Path, owner: u32) -> Vec<Entry> {
    let absolute = std::path::absolute(socket).unwrap_or_else(|_| socket.to_owned());
    let Some(folder) = absolute.parent() else { return Vec::new() };
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let made = |path: &Path| Entry { path: path.to_owned(), uid: owner, gid: u32::MAX, mode: PRIVATE };
    let mut folders: Vec<_> =
        folder.ancestors().map(|path| entry(path).unwrap_or_else(|_| made(path))).collect();
    folders.reverse();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: u32 = 999;

    fn at(path: &str, mode: u32) -> Entry {
        Entry { path: path.into(), uid: OWNER, gid: 50, mode }
    }

    fn told(who: &Named, folders: &[Entry], socket: &Entry) -> (bool, bool) {
        (folders.iter().all(|folder| who.may(SEARCH, folder)), who.may(WRITE, socket))
    }

    #[test]
    fn a_user_reaches_the_socket_by_its_mode_its_group_and_the_mode_of_each_folder() {
        let stranger = Named::User { uid: 33, groups: vec![33] };
        let friend = Named::User { uid: 33, groups: vec![33, 50] };
        let open = [at("/", 0o755), at("/run", 0o755)];
        for (who, folders, mode, expected) in [
            (&stranger, &open[..], 0o600, (true, false)),
            (&stranger, &open, 0o660, (true, false)),
            (&stranger, &open, 0o666, (true, true)),
            (&friend, &open, 0o660, (true, true)),
            (&friend, &open, 0o606, (true, false)),
            (&friend, &[at("/", 0o755), at("/run/p", 0o700)], 0o666, (false, true)),
            (&friend, &[at("/", 0o755), at("/run/p", 0o710)], 0o666, (true, true)),
            (&stranger, &[at("/", 0o755), at("/run/p", 0o710)], 0o666, (false, true)),
            (&Named::Member { gid: 50 }, &open, 0o660, (true, true)),
            (&Named::Member { gid: 33 }, &open, 0o660, (true, false)),
        ] {
            assert_eq!(told(who, folders, &at("/run/s", mode)), expected, "{who:?} {folders:?} {mode:o}");
        }
    }

    #[test]
    fn the_first_obstacle_is_named_with_what_mends_it() {
        let said =
            |folders: &[Entry], mode| warning(Account::User(12_345), OWNER, &at("/run/s", mode), folders);
        let folder = said(&[at("/", 0o755), at("/run/user/7", 0o700)], 0o600).unwrap();
        assert!(folder.contains("uid 12345") && folder.contains("/run/user/7 (mode 0700)"), "{folder}");
        assert!(folder.contains("set local.socket to"), "{folder}");
        let socket = said(&[at("/", 0o755)], 0o600).unwrap();
        assert!(
            socket.contains("/run/s (mode 0600, gid 50)") && socket.contains("local.socket_mode"),
            "{socket}"
        );
        assert_eq!(said(&[at("/", 0o755)], 0o666), None);
        for uid in [0, OWNER] {
            let nothing = warning(Account::User(uid), OWNER, &at("/run/s", 0o666), &[]).unwrap();
            assert!(nothing.contains("changes nothing"), "{nothing}");
        }
    }
}
