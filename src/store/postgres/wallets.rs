//! Wallets by their main keys, with the keys that signed for them, and their subkeys.

use async_trait::async_trait;
use futures_util::FutureExt;
use nostr_sdk::PublicKey;

use super::PostgresStore;
use super::columns::{Count, Json, Key};
use super::failure::Outcome;
use super::query::{get, read_all};
use super::transaction::Transaction;
use crate::clock::Timestamp;
use crate::store::{KnownSubkey, KnownWallets, Result, WalletLogin};

/// Stores that a user scanned, and the relays that the wallet named.
pub(super) async fn scanned(
    db: &Transaction<'_>,
    user: &PublicKey,
    relays: &[String],
    at: Timestamp,
) -> Outcome<()> {
    let sql = "INSERT INTO wallets (key, preferred_relays, last_seen) VALUES ($1, $2, $3)
        ON CONFLICT (key) DO UPDATE SET preferred_relays = $2, last_seen = $3";
    db.run(sql, &[&Key(*user), &Json(relays), &at]).await?;
    Ok(())
}

/// Stores that a user completed a login, and the key that signed for it.
pub(super) async fn logged_in(db: &Transaction<'_>, login: &WalletLogin, at: Timestamp) -> Outcome<()> {
    let sql = "INSERT INTO wallets (key, last_seen, last_login) VALUES ($1, $2, $2)
        ON CONFLICT (key) DO UPDATE SET last_seen = $2, last_login = $2";
    db.run(sql, &[&Key(login.user), &at]).await?;
    let sql = "INSERT INTO signers (key, user_key, until) VALUES ($1, $2, $3)
        ON CONFLICT (key) DO UPDATE SET user_key = $2, until = $3";
    db.run(sql, &[&Key(login.signer), &Key(login.user), &login.until]).await?;
    Ok(())
}

/// Adds or refreshes a subkey, then deletes all but the `keep` with the latest proofs.
async fn remember_subkey(
    db: &Transaction<'_>,
    user: &PublicKey,
    subkey: &KnownSubkey,
    keep: usize,
) -> Outcome<()> {
    let user = Key(*user);
    let sql =
        "INSERT INTO wallets (key, last_seen) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET last_seen = $2";
    db.run(sql, &[&user, &subkey.seen_at]).await?;
    let sql = "INSERT INTO subkeys (user_key, key, proof, seen_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_key, key) DO UPDATE SET proof = $3, seen_at = $4";
    db.run(sql, &[&user, &Key(subkey.key), &subkey.proof, &subkey.seen_at]).await?;
    let sql = "DELETE FROM subkeys WHERE user_key = $1 AND key NOT IN
        (SELECT key FROM subkeys WHERE user_key = $1 ORDER BY seen_at DESC, key LIMIT $2)";
    db.run(sql, &[&user, &Count(keep as u64)]).await?;
    Ok(())
}

#[async_trait]
impl KnownWallets for PostgresStore {
    async fn signer(&self, key: &PublicKey) -> Result<Option<WalletLogin>> {
        let sql = "SELECT user_key, until FROM signers WHERE key = $1";
        let Some(row) = self.readers.first(sql, &[&Key(*key)]).await? else { return Ok(None) };
        let Key(user) = get(&row, "user_key")?;
        Ok(Some(WalletLogin { signer: *key, user, until: get(&row, "until")? }))
    }

    async fn preferred_relays(&self, user: &PublicKey) -> Result<Vec<String>> {
        let sql = "SELECT preferred_relays FROM wallets WHERE key = $1";
        let found = self.readers.first(sql, &[&Key(*user)]).await?;
        let relays: Option<Json<Vec<String>>> = found.map(|row| get(&row, "preferred_relays")).transpose()?;
        Ok(relays.map(|Json(relays)| relays).unwrap_or_default())
    }

    async fn remember_subkey(&self, user: &PublicKey, subkey: &KnownSubkey, keep: usize) -> Result<()> {
        let asked = (*user, subkey.clone());
        self.writer
            .write(asked, move |db, (user, subkey)| remember_subkey(db, user, subkey, keep).boxed())
            .await
    }

    async fn subkeys(&self, user: &PublicKey) -> Result<Vec<KnownSubkey>> {
        let sql = "SELECT key, proof, seen_at FROM subkeys WHERE user_key = $1 ORDER BY seen_at DESC, key";
        let rows = self.readers.all(sql, &[&Key(*user)]).await?;
        Ok(read_all(&rows, |row| {
            let Key(key) = get(row, "key")?;
            Ok(KnownSubkey { key, proof: get(row, "proof")?, seen_at: get(row, "seen_at")? })
        })?)
    }
}
