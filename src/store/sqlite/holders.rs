//! Which users have subkeys. Hardly any user does, but every challenge asks; so memory answers for users
//! without subkeys. The file has one writer at a time, which knows of every subkey ever written.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use nostr_sdk::PublicKey;
use rusqlite::Connection;

use super::columns::{Count, Key};
use crate::store::Result;

/// How many users are remembered. If more have subkeys, the file is read for every user.
const MAX: usize = 100_000;

/// A cache of the users with subkeys, valid while this process is the only writer of the file; with several
/// writers the table must be read. Some of these users may have lost theirs since. `None`: too many to
/// remember.
#[derive(Debug)]
pub(super) struct Holders(RwLock<Option<HashSet<PublicKey>>>);

impl Holders {
    /// The users with subkeys in the file.
    pub(super) fn load(db: &Connection) -> Result<Self> {
        let mut query = db.prepare("SELECT DISTINCT user FROM subkeys LIMIT ?1")?;
        let users = query.query_map([Count(MAX as u64 + 1)], |row| Ok(row.get::<_, Key>(0)?.0))?;
        let users: HashSet<_> = users.collect::<rusqlite::Result<_>>()?;
        Ok(Self(RwLock::new(Some(users).filter(|users| users.len() <= MAX))))
    }

    /// Returns `false` if this user has certainly no subkeys.
    pub(super) fn may_include(&self, user: &PublicKey) -> bool {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        users.as_ref().is_none_or(|users| users.contains(user))
    }

    /// Remembers a user, before the subkey is written, so that no subkey is missed.
    pub(super) fn add(&self, user: &PublicKey) {
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = users.as_mut() {
            known.insert(*user);
            if known.len() > MAX {
                *users = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: usize) -> PublicKey {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        PublicKey::from_byte_array(bytes)
    }

    fn file(users: usize) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE subkeys (user BLOB, key INTEGER)").unwrap();
        for n in 0..users {
            db.execute("INSERT INTO subkeys VALUES (?1, 1), (?1, 2)", [Key(user(n))]).unwrap();
        }
        db
    }

    #[test]
    fn whoever_has_a_subkey_is_known_from_the_file_or_from_its_writing() {
        let holders = Holders::load(&file(3)).unwrap();
        assert!(holders.may_include(&user(2)));
        assert!(!holders.may_include(&user(3)));
        holders.add(&user(3));
        assert!(holders.may_include(&user(3)));
    }

    #[test]
    fn with_too_many_holders_the_file_is_asked_about_everybody() {
        let holders = Holders::load(&file(0)).unwrap();
        (0..=MAX).for_each(|n| holders.add(&user(n)));
        assert!(holders.may_include(&user(MAX + 1)));
        assert!(holders.0.read().unwrap().is_none());
    }
}
