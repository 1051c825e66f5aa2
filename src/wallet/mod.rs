//! Wallet providers: a credential goes in, a verified wallet identity comes out.
//!
//! What a provider answers is what its issuer or the wallet's own key vouches for, and nothing that a client
//! merely says of itself. Below are the providers.

pub mod jwks;
pub mod nip98;
pub mod para_session;
pub mod portal;
pub mod thirdweb;

use std::fmt;

use async_trait::async_trait;
use nostr_sdk::PublicKey;
use serde::Serialize;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::quoted::steers;

/// The longest name of a wallet or identifier, in bytes.
const MAX_NAME: usize = 512;

/// Whose wallet it is, as its provider has verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WalletIdentity {
    /// The provider's name.
    pub provider: String,
    /// The wallet: stable, and no other wallet of this provider has it.
    pub wallet_id: String,
    /// How the user proves to be its owner.
    pub auth_method: String,
    /// What the user is known by there.
    pub auth_identifier: String,
    /// A hash that names the credential, and that none of its other spellings changes.
    #[serde(skip)]
    pub credential: [u8; 32],
    /// Up to when the credential holds.
    pub expires_at: Timestamp,
    /// When the credential was issued, if it says.
    pub issued_at: Option<Timestamp>,
    /// The key that the claim `target_key` names for programs written after the Portal wallet.
    #[serde(skip)]
    pub target_key: Option<String>,
    /// Further wallets of the same user.
    pub wallets: Vec<FurtherWallet>,
    /// What the credential says, as its provider has verified it; secrets left out.
    pub claims: Value,
}

/// Another wallet of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FurtherWallet {
    /// What it is called by its provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `EVM`, `SOLANA`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Its address.
    pub address: String,
}

/// What a user shows, and the request that it came with, where it is bound to one.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'a> {
    /// The credential.
    pub text: &'a str,
    /// The user's request, as whoever asks has got it.
    pub request: Option<WebRequest<'a>>,
}

impl<'a> Credential<'a> {
    /// A credential on its own.
    pub fn alone(text: &'a str) -> Self {
        Self { text, request: None }
    }
}

/// A user's request to the web app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebRequest<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// Path and query, as they stand in the request line.
    pub target: &'a str,
    /// The SHA-256 of the body, if there is one and it is known.
    pub body: Option<[u8; 32]>,
}

/// Why there is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// It held once.
    #[error("{message}")]
    Expired {
        /// For people.
        message: String,
    },
    /// It does not hold.
    #[error("{message}")]
    Rejected {
        /// For programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// Nobody knows now: what the provider needs is not to be had.
    #[error("{0}")]
    Unavailable(String),
}

/// Knows which credentials were withdrawn before their time.
pub trait Withdrawals: fmt::Debug + Send + Sync {
    /// Whether the credential of this name ([`WalletIdentity::credential`]) was.
    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool;
}

/// Verifies the credentials of one kind of wallet.
#[async_trait]
pub trait WalletProvider: fmt::Debug + Send + Sync {
    /// What callers name it by.
    fn name(&self) -> &str;

    /// Whose credential this is, if it holds now.
    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError>;

    /// The wallet that an operator names before it has logged in, as [`WalletIdentity::wallet_id`] will name it.
    ///
    /// # Errors
    /// What is expected instead: no wallet of this provider is called that.
    fn wallet_named(&self, name: &str) -> Result<String, &'static str> {
        Ok(name.to_owned())
    }

    /// Whether a credential that was named once ([`WalletIdentity::credential`]) has been withdrawn since.
    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool;
}

/// The wallet of a Nostr key that is written as hex or npub.
///
/// # Errors
/// What is expected instead.
pub fn nostr_key(name: &str) -> Result<String, &'static str> {
    let key = PublicKey::parse(name).ok().filter(|key| key.xonly().is_ok());
    key.map(|key| key.to_hex()).ok_or("a public key (64 hex digits or npub1…)")
}

/// Whether a wallet may be called that: a word of any script.
pub fn is_wallet_id(name: &str) -> bool {
    is_text(name) && !name.contains(char::is_whitespace)
}

fn is_text(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(steers)
}

impl WalletIdentity {
    /// Names are text without white space, in any script: they end up in tokens, the log and the audit. The
    /// identifier may have spaces.
    ///
    /// # Errors
    /// [`CredentialError::Rejected`] with `unusable_identity`.
    pub fn checked(self) -> Result<Self, CredentialError> {
        let named =
            [&self.provider, &self.wallet_id, &self.auth_method].into_iter().all(|name| is_wallet_id(name));
        if named && is_text(&self.auth_identifier) {
            return Ok(self);
        }
        let message = "the credential names its owner in a way that cannot be used".into();
        Err(CredentialError::Rejected { code: "unusable_identity", message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_forge_a_header_or_a_line_of_the_log_is_refused() {
        let named = |wallet_id: &str| WalletIdentity {
            provider: "portal".into(),
            wallet_id: wallet_id.into(),
            auth_method: "nostr".into(),
            auth_identifier: "npub1".into(),
            credential: [0; 32],
            expires_at: Timestamp::default(),
            issued_at: None,
            target_key: None,
            wallets: Vec::new(),
            claims: Value::Null,
        };
        for name in ["ab12", "josé", "名前", "a%20b", "auth0|7"] {
            assert_eq!(named(name).checked().unwrap().wallet_id, name);
        }
        for hostile in [
            "",
            "a\r\nX-Auth-Roles: admin",
            "a b",
            "a\u{a0}b",
            "a\u{85}b",
            "a\u{9b}31mb",
            "a\u{2028}b",
            "a\u{202e}b",
            "\u{feff}a",
            &"a".repeat(MAX_NAME + 1),
            &"é".repeat(MAX_NAME / 2 + 1),
        ] {
            let error = named(hostile).checked().unwrap_err();
            assert!(
                matches!(error, CredentialError::Rejected { code: "unusable_identity", .. }),
                "{hostile:?}"
            );
        }
    }
}
