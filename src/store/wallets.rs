//! What logins reveal about wallets.

use std::fmt;

use async_trait::async_trait;
use nostr_sdk::PublicKey;

use super::Result;
use crate::clock::Timestamp;

/// What an approval reveals about a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletLogin {
    /// The key that signed the session token: the main key or a proven subkey.
    pub signer: PublicKey,
    /// The user's main key.
    pub user: PublicKey,
    /// When the proof of the subkey expires: from then on it signs for nobody. `None`: the signer is the main key.
    pub until: Option<Timestamp>,
}

/// A subkey of a user, with its SUBKEY_PROOF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSubkey {
    /// The subkey.
    pub key: PublicKey,
    /// The content of the proof as JSON. It is verified again on each use.
    pub proof: String,
    /// When the proof was last received.
    pub seen_at: Timestamp,
}

/// Wallets that scanned or approved: their keys and their relays. Scans and approvals add to it
/// ([`Logins`](super::Logins)).
#[async_trait]
pub trait KnownWallets: fmt::Debug + Send + Sync {
    /// The user of this key, and until when it signs for that user, if the key signed a session token that completed a
    /// login here. The latest login decides. A subkey stays known after its proof has expired: whoever asks must compare
    /// the time.
    async fn signer(&self, key: &PublicKey) -> Result<Option<WalletLogin>>;

    /// The user of this key, whether or not its proof has expired.
    async fn user_of_signer(&self, key: &PublicKey) -> Result<Option<PublicKey>> {
        Ok(self.signer(key).await?.map(|login| login.user))
    }

    /// Relays that the user's wallet named in its last handshake.
    async fn preferred_relays(&self, user: &PublicKey) -> Result<Vec<String>>;

    /// Stores a proven subkey of a user. At most `keep` stay; the one with the oldest proof is deleted.
    async fn remember_subkey(&self, user: &PublicKey, subkey: &KnownSubkey, keep: usize) -> Result<()>;

    /// The known subkeys of a user, the latest proof first.
    async fn subkeys(&self, user: &PublicKey) -> Result<Vec<KnownSubkey>>;
}
