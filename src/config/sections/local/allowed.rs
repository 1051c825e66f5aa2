//! `[[local.allow]]`: who may do what on the Unix socket.

use serde::Deserialize;

use crate::config::mistakes::InSection;
use crate::config::sections::written::one_or_more;
use crate::rights::Rights;

/// A user or a group of this machine, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// A user.
    User(u32),
    /// Every member of a group.
    Group(u32),
}

/// A row: what an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// The account.
    pub who: Account,
    /// What it may do.
    pub may: Rights,
}

/// `[[local.allow]]`: a user or a group, and what it may do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawAllowed {
    pub(in crate::config) uid: Option<RawAccount>,
    pub(in crate::config) gid: Option<RawAccount>,
    #[serde(deserialize_with = "one_or_more")]
    pub(in crate::config) may: Vec<String>,
}

/// A user or a group as it is written.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "must be a number, or a name in quotes")]
pub(in crate::config) enum RawAccount {
    Id(u32),
    Name(String),
}

/// Checks each row.
pub(super) fn check(rows: Vec<RawAllowed>, wrong: &mut InSection<'_>) -> Vec<Allowed> {
    let checked = rows.into_iter().enumerate();
    checked.filter_map(|(at, row)| check_row(row, &mut wrong.entry("allow", at))).collect()
}

fn check_row(row: RawAllowed, wrong: &mut InSection<'_>) -> Option<Allowed> {
    let who = match (row.uid, row.gid) {
        (Some(user), None) => wrong.keep("uid", uid_of(user)).map(Account::User),
        (None, Some(group)) => wrong.keep("gid", gid_of(group)).map(Account::Group),
        _ if wrong.has("uid") || wrong.has("gid") => None,
        (Some(_), Some(_)) => {
            wrong.add("gid", "set exactly one of uid and gid: write a row for each");
            None
        }
        (None, None) => {
            wrong.add_missing("uid", "set exactly one of uid and gid");
            None
        }
    };
    let may = Rights::of_words(row.may.iter().map(String::as_str));
    let may = wrong.keep("may", may);
    Some(Allowed { who: who?, may: may? })
}

/// The id of a user.
pub(in crate::config) fn uid_of(user: RawAccount) -> Result<u32, String> {
    match user {
        RawAccount::Id(uid) => real(uid),
        RawAccount::Name(name) => uid_named(&name),
    }
}

/// The id of a group.
pub(super) fn gid_of(group: RawAccount) -> Result<u32, String> {
    match group {
        RawAccount::Id(gid) => real(gid),
        RawAccount::Name(name) => gid_named(&name),
    }
}

/// Refuses the number that stands for "no user" and "no group" (chown(2)): a row with it can only be a mistake.
fn real(id: u32) -> Result<u32, String> {
    if id == u32::MAX {
        return Err(format!(
            "{id} stands for no user and no group: write the number or the name of a real one"
        ));
    }
    Ok(id)
}

fn uid_named(user: &str) -> Result<u32, String> {
    if let Ok(uid) = user.parse() {
        return real(uid);
    }
    match nix::unistd::User::from_name(user) {
        Ok(Some(found)) => Ok(found.uid.as_raw()),
        _ => Err(format!("unknown user {user:?}: this machine has no such user")),
    }
}

/// The id of the group with this name.
pub(super) fn gid_named(group: &str) -> Result<u32, String> {
    if let Ok(gid) = group.parse() {
        return real(gid);
    }
    match nix::unistd::Group::from_name(group) {
        Ok(Some(found)) => Ok(found.gid.as_raw()),
        _ => Err(format!("unknown group {group:?}: this machine has no such group")),
    }
}
