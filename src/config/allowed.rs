//! Who may do what on the Unix socket.

use super::check::{gid_of, ids, invalid, uid_of};
use super::error::ConfigError;
use super::raw::{Account as Named, RawAllowed};
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

pub(super) fn check(rows: Vec<RawAllowed>) -> Result<Vec<Allowed>, ConfigError> {
    rows.into_iter().map(check_row).collect()
}

fn check_row(row: RawAllowed) -> Result<Allowed, ConfigError> {
    let who = match (row.uid, row.gid) {
        (Some(user), None) => Account::User(number("local.allow.uid", user, uid_of)?),
        (None, Some(group)) => Account::Group(number("local.allow.gid", group, gid_of)?),
        _ => return Err(invalid("local.allow", "each row needs either uid or gid")),
    };
    let may = Rights::of_words(row.may.iter().map(String::as_str));
    Ok(Allowed { who, may: may.map_err(|reason| invalid("local.allow.may", reason))? })
}

fn number(
    key: &'static str,
    account: Named,
    id_of: fn(&'static str, &str) -> Result<u32, ConfigError>,
) -> Result<u32, ConfigError> {
    Ok(ids(vec![account], |name| id_of(key, name))?[0])
}
