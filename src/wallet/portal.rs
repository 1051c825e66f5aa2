//! Portal wallets as a wallet provider: the credential is the session token that a wallet issues for this service.

use std::sync::Arc;

use async_trait::async_trait;
use nostr_sdk::ToBech32;
use quick_cache::sync::Cache;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Credential, CredentialError, WalletIdentity, WalletProvider, Withdrawals, nostr_key};
use crate::clock::Timestamp;
use crate::portal_token::TokenError;
use crate::tokens::{PortalTokens, RevokedTokens, TokensError, Vouched};

/// The name of this provider.
pub const NAME: &str = "portal";

/// How many verified credentials are remembered.
const VERIFIED: usize = 50_000;

/// Verifies session tokens of Portal wallets that completed a login here.
#[derive(Debug)]
pub struct PortalWallets {
    tokens: Arc<PortalTokens>,
    /// By the SHA-256 of the whole token. Times and revocation are checked each time.
    verified: Cache<[u8; 32], Arc<(Vouched, WalletIdentity)>>,
}

impl PortalWallets {
    /// Portal wallets that this service knows.
    pub fn new(tokens: Arc<PortalTokens>) -> Self {
        Self { tokens, verified: Cache::new(VERIFIED) }
    }
}

impl Withdrawals for RevokedTokens {
    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool {
        self.contains(credential)
    }
}

#[async_trait]
impl WalletProvider for PortalWallets {
    fn name(&self) -> &str {
        NAME
    }

    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError> {
        let digest: [u8; 32] = Sha256::digest(credential.text).into();
        if let Some(known) = self.verified.get(&digest) {
            let (vouched, identity) = &*known;
            let holds = self.tokens.holds_still(vouched);
            return holds.map(|()| identity.clone()).map_err(|error| why(error.into()));
        }
        let Some(vouched) = self.tokens.vouched(credential.text).await.map_err(why)? else {
            let message = "this service issued it, not a wallet".into();
            return Err(CredentialError::Rejected { code: "not_a_wallet_token", message });
        };
        let identity = identity(&vouched);
        self.verified.insert(digest, Arc::new((vouched, identity.clone())));
        Ok(identity)
    }

    fn wallet_named(&self, name: &str) -> Result<String, &'static str> {
        nostr_key(name)
    }

    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool {
        self.tokens.revoked().contains(credential)
    }
}

/// The identity that a session token confirms.
pub fn identity(vouched: &Vouched) -> WalletIdentity {
    let Vouched { claims, name, .. } = vouched;
    let user = claims.subject;
    WalletIdentity {
        provider: NAME.into(),
        wallet_id: user.to_hex(),
        auth_method: "nostr".into(),
        auth_identifier: user.to_bech32().unwrap_or_else(|never| match never {}),
        // What revokes the token withdraws the credential.
        credential: *name,
        expires_at: Timestamp::from_secs(claims.expires_at),
        issued_at: claims.issued_at.map(Timestamp::from_secs),
        target_key: Some(user.to_hex()),
        wallets: Vec::new(),
        claims: json!(claims),
    }
}

fn why(error: TokensError) -> CredentialError {
    match error {
        TokensError::Token(error @ TokenError::TokenExpired) => {
            CredentialError::Expired { message: error.to_string() }
        }
        TokensError::Token(error) => {
            CredentialError::Rejected { code: error.code(), message: error.to_string() }
        }
        other => CredentialError::Unavailable(other.to_string()),
    }
}
