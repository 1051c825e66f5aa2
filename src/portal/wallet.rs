//! Portal wallets as a wallet provider: the credential is the session token that a wallet issues for this service.

use std::sync::Arc;

use async_trait::async_trait;
use nostr_sdk::ToBech32;
use quick_cache::sync::Cache;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::tokens::revocation_id;
use super::{Portal, PortalError, TokenType};
use crate::clock::Timestamp;
use crate::events::Session;
use crate::portal_token::{TokenError, UnverifiedToken};
use crate::wallet::{Credential, CredentialError, WalletIdentity, WalletProvider, Withdrawals, nostr_key};

/// What callers name Portal's wallets by.
pub const NAME: &str = "portal";

/// Credentials that are remembered once they were verified.
const VERIFIED: usize = 50_000;

/// Vouches for Portal wallets that have completed a login here.
#[derive(Debug)]
pub struct PortalWallets {
    portal: Arc<Portal>,
    /// By the SHA-256 of the whole token. Time and revocation are judged anew each time.
    verified: Cache<[u8; 32], Arc<(Session, WalletIdentity)>>,
}

impl PortalWallets {
    /// Those that this service knows.
    pub fn new(portal: Arc<Portal>) -> Self {
        Self { portal, verified: Cache::new(VERIFIED) }
    }
}

impl Withdrawals for Portal {
    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool {
        self.is_revoked(credential)
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
            let (session, identity) = &*known;
            let (tokens, now) = (&self.portal.tokens, self.portal.clock.now());
            let holds = tokens.holds_still(&identity.credential, session, now);
            return holds.map(|()| identity.clone()).map_err(|error| why(error.into()));
        }
        let verified = self.portal.verify(self.portal.public_key(), credential.text).await.map_err(why)?;
        if verified.token_type != TokenType::Wallet {
            let message = "it was issued by this service, and not by a wallet".into();
            return Err(CredentialError::Rejected { code: "not_a_wallet_token", message });
        }
        let identity = identity(&verified.session, credential.text).map_err(|error| why(error.into()))?;
        self.verified.insert(digest, Arc::new((verified.session, identity.clone())));
        Ok(identity)
    }

    fn wallet_named(&self, name: &str) -> Result<String, &'static str> {
        nostr_key(name)
    }

    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool {
        self.portal.is_revoked(credential)
    }
}

/// Whose wallet it is, by the verified claims of its session token.
pub(super) fn identity(session: &Session, token: &str) -> Result<WalletIdentity, TokenError> {
    let user = session.subject;
    Ok(WalletIdentity {
        provider: NAME.into(),
        wallet_id: user.to_hex(),
        auth_method: "nostr".into(),
        auth_identifier: user.to_bech32().unwrap_or_else(|never| match never {}),
        // What revokes the token withdraws the credential.
        credential: revocation_id(session.issuer.as_bytes(), &UnverifiedToken::parse(token)?),
        expires_at: Timestamp::from_secs(session.expires_at),
        issued_at: session.issued_at.map(Timestamp::from_secs),
        target_key: Some(user.to_hex()),
        wallets: Vec::new(),
        claims: json!(session),
    })
}

fn why(error: PortalError) -> CredentialError {
    match error {
        PortalError::Token(error @ TokenError::TokenExpired) => {
            CredentialError::Expired { message: error.to_string() }
        }
        PortalError::Token(error) => {
            CredentialError::Rejected { code: error.code(), message: error.to_string() }
        }
        other => CredentialError::Unavailable(other.to_string()),
    }
}
