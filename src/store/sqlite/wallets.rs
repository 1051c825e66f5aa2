//! Wallets by their main keys, with the keys that signed for them, and their subkeys.

use async_trait::async_trait;
use nostr_sdk::PublicKey;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::columns::{Count, Json, Key};
use super::memory::Changed;
use super::transaction::Transaction;
use crate::clock::Timestamp;
use crate::store::{KnownSubkey, KnownWallets, Result, WalletLogin};

/// Stores that a user scanned, and the relays that the wallet named.
pub(super) fn scanned(db: &Connection, user: &PublicKey, relays: &[String], at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO wallets (key, preferred_relays, last_seen) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET preferred_relays = ?2, last_seen = ?3",
    )?
    .execute(params![Key(*user), Json(relays), at])?;
    Ok(())
}

/// Stores that a user completed a login, and the key that signed for it.
pub(super) fn logged_in(db: &Transaction<'_>, login: &WalletLogin, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO wallets (key, last_seen, last_login) VALUES (?1, ?2, ?2)
         ON CONFLICT (key) DO UPDATE SET last_seen = ?2, last_login = ?2",
    )?
    .execute(params![Key(login.user), at])?;
    db.prepare_cached(
        "INSERT INTO signers (key, user, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET user = ?2, until = ?3",
    )?
    .execute(params![Key(login.signer), Key(login.user), login.until])?;
    db.note(Changed::Signer(login.signer, Some(*login)));
    Ok(())
}

/// The user of this key.
pub(super) fn signer(db: &Connection, key: &PublicKey) -> Result<Option<WalletLogin>> {
    let found = db
        .prepare_cached("SELECT user, until FROM signers WHERE key = ?1")?
        .query_row([Key(*key)], |row| {
            let Key(user) = row.get("user")?;
            Ok(WalletLogin { signer: *key, user, until: row.get("until")? })
        })
        .optional()?;
    Ok(found)
}

/// The relays that the wallet named in its last scan.
pub(super) fn preferred_relays(db: &Connection, user: &PublicKey) -> Result<Vec<String>> {
    let relays = db
        .prepare_cached("SELECT preferred_relays FROM wallets WHERE key = ?1")?
        .query_row([Key(*user)], |row| row.get(0))
        .optional()?;
    Ok(relays.map(|Json(relays)| relays).unwrap_or_default())
}

/// Adds or refreshes a subkey, then deletes all but the `keep` with the latest proofs.
pub(super) fn remember_subkey(
    db: &Connection,
    user: &PublicKey,
    subkey: &KnownSubkey,
    keep: usize,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO wallets (key, last_seen) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET last_seen = ?2",
    )?
    .execute(params![Key(*user), subkey.seen_at])?;
    db.prepare_cached(
        "INSERT INTO subkeys (user, key, proof, seen_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (user, key) DO UPDATE SET proof = ?3, seen_at = ?4",
    )?
    .execute(params![Key(*user), Key(subkey.key), subkey.proof, subkey.seen_at])?;
    db.prepare_cached(
        "DELETE FROM subkeys WHERE user = ?1 AND key NOT IN
         (SELECT key FROM subkeys WHERE user = ?1 ORDER BY seen_at DESC, key LIMIT ?2)",
    )?
    .execute(params![Key(*user), Count(keep as u64)])?;
    Ok(())
}

/// The subkeys of a user, the latest proof first.
pub(super) fn subkeys(db: &Connection, user: &PublicKey) -> Result<Vec<KnownSubkey>> {
    let mut query = db.prepare_cached(
        "SELECT key, proof, seen_at FROM subkeys WHERE user = ?1 ORDER BY seen_at DESC, key",
    )?;
    let subkeys = query.query_map([Key(*user)], |row| {
        let Key(key) = row.get("key")?;
        Ok(KnownSubkey { key, proof: row.get("proof")?, seen_at: row.get("seen_at")? })
    })?;
    Ok(subkeys.collect::<rusqlite::Result<_>>()?)
}

#[async_trait]
impl KnownWallets for SqliteStore {
    async fn signer(&self, key: &PublicKey) -> Result<Option<WalletLogin>> {
        let key = *key;
        let read = self.readers.read(move |db| signer(db, &key).map(Some));
        Ok(self.memory.signers.get(key, read).await?.and_then(|login| *login))
    }

    async fn preferred_relays(&self, user: &PublicKey) -> Result<Vec<String>> {
        let user = *user;
        self.readers.read(move |db| preferred_relays(db, &user)).await
    }

    async fn remember_subkey(&self, user: &PublicKey, subkey: &KnownSubkey, keep: usize) -> Result<()> {
        self.holders.add(user);
        let (user, subkey) = (*user, subkey.clone());
        self.writer.write(move |db| remember_subkey(db, &user, &subkey, keep)).await
    }

    async fn subkeys(&self, user: &PublicKey) -> Result<Vec<KnownSubkey>> {
        if !self.holders.may_include(user) {
            return Ok(Vec::new());
        }
        let user = *user;
        self.readers.read(move |db| subkeys(db, &user)).await
    }
}
