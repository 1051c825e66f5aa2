//! Wallet providers: they verify a credential and return a wallet identity.
//!
//! A provider returns only what the issuer or the wallet's own key confirms, and nothing that a client merely claims.
//! The submodules are the providers.

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
use crate::quoted::misleads;

/// The longest name of a wallet or identifier, in bytes.
const MAX_NAME: usize = 512;

/// The identity of a wallet's owner, verified by its provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WalletIdentity {
    /// The provider's name.
    pub provider: String,
    /// The wallet's id: stable, and unique at this provider.
    pub wallet_id: String,
    /// How the user proved to own the wallet.
    pub auth_method: String,
    /// The identifier of the user at the provider.
    pub auth_identifier: String,
    /// A hash that identifies the credential, the same for each of its spellings.
    #[serde(skip)]
    pub credential: [u8; 32],
    /// When the credential expires.
    pub expires_at: Timestamp,
    /// When the credential was issued, if it says.
    pub issued_at: Option<Timestamp>,
    /// The value of the claim `target_key`, for programs written for the Portal wallet.
    #[serde(skip)]
    pub target_key: Option<String>,
    /// Further wallets of the same user.
    pub wallets: Vec<FurtherWallet>,
    /// The verified claims of the credential, without secrets.
    pub claims: Value,
}

/// Another wallet of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FurtherWallet {
    /// Its id at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `EVM`, `SOLANA`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Its address.
    pub address: String,
}

/// A user's credential, and the request that it came with, for credentials that are bound to a request.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'a> {
    /// The credential.
    pub text: &'a str,
    /// The user's request, as the caller reports it.
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
    /// The SHA-256 of the body, if there is a body and its hash is known.
    pub body: Option<[u8; 32]>,
}

/// Why there is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The credential has expired.
    #[error("{message}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    Expired { message: String },
    /// The credential is not valid.
    #[error("{message}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    Rejected { code: &'static str, message: String },
    /// The provider is unavailable.
    #[error("{0}")]
    Unavailable(String),
}

/// Knows the credentials that were revoked before they expired.
pub trait Withdrawals: fmt::Debug + Send + Sync {
    /// Whether the credential with this name ([`WalletIdentity::credential`]) was revoked.
    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool;
}

/// Verifies the credentials of one kind of wallet.
#[async_trait]
pub trait WalletProvider: fmt::Debug + Send + Sync {
    /// The name of the provider.
    fn name(&self) -> &str;

    /// Verifies a credential, and returns the identity of its owner.
    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError>;

    /// The wallet's id ([`WalletIdentity::wallet_id`]) for the name that an operator uses before its first login.
    ///
    /// # Errors
    /// What is expected instead, if no wallet of this provider can have this name.
    fn wallet_named(&self, name: &str) -> Result<String, &'static str> {
        Ok(name.to_owned())
    }

    /// Whether the credential with this name ([`WalletIdentity::credential`]) has been revoked since.
    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool;
}

/// The wallet's id for a Nostr key in hex or npub.
///
/// # Errors
/// What is expected instead.
pub fn nostr_key(name: &str) -> Result<String, &'static str> {
    let key = PublicKey::parse(name).ok().filter(|key| key.xonly().is_ok());
    key.map(|key| key.to_hex()).ok_or("a public key (64 hex digits or npub1…)")
}

/// Whether this can be a wallet's id: a word of any script.
pub fn is_wallet_id(name: &str) -> bool {
    is_text(name) && !name.contains(char::is_whitespace)
}

fn is_text(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(misleads)
}

impl WalletIdentity {
    /// Checks that names are text without white space, in any script: they are used in tokens, the log and the audit.
    /// The identifier may contain spaces.
    ///
    /// # Errors
    /// [`CredentialError::Rejected`] with `unusable_identity`.
    pub fn checked(self) -> Result<Self, CredentialError> {
        let named =
            [&self.provider, &self.wallet_id, &self.auth_method].into_iter().all(|name| is_wallet_id(name));
        if named && is_text(&self.auth_identifier) {
            return Ok(self);
        }
        let message = "the wallet id in the credential is too long or contains unsupported characters".into();
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
            // They look like "a".
            "\u{200b}a",
            "a\u{200d}",
            "a\u{ad}",
            "\u{3164}a",
            "a\u{e0041}",
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
