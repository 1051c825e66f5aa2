//! Portal wallets as a wallet provider: the credential is the session token that a wallet issues for this service.

use std::sync::Arc;

use async_trait::async_trait;
use nostr_sdk::ToBech32;
use serde_json::json;

use super::tokens::revocation_id;
use super::{Auth, AuthError, TokenType};
use crate::clock::Timestamp;
use crate::events::Session;
use crate::token::{TokenError, UnverifiedToken};
use crate::wallet::{Credential, CredentialError, WalletIdentity, WalletProvider};

/// What callers name it by.
const NAME: &str = "portal";

/// Vouches for Portal wallets that have completed a login here.
#[derive(Debug, Clone)]
pub struct PortalWallets(Arc<Auth>);

impl PortalWallets {
    /// Those that this service knows.
    pub fn new(auth: Arc<Auth>) -> Self {
        Self(auth)
    }
}

#[async_trait]
impl WalletProvider for PortalWallets {
    fn name(&self) -> &str {
        NAME
    }

    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError> {
        let verified = self.0.verify(self.0.public_key(), credential.text).await.map_err(why)?;
        if verified.token_type != TokenType::Wallet {
            let message = "it was issued by this service, and not by a wallet".into();
            return Err(CredentialError::Rejected { code: "not_a_wallet_token", message });
        }
        identity(&verified.session, credential.text).map_err(|error| why(error.into()))
    }

    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool {
        self.0.is_revoked(credential)
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

fn why(error: AuthError) -> CredentialError {
    match error {
        AuthError::Token(error @ TokenError::TokenExpired) => {
            CredentialError::Expired { message: error.to_string() }
        }
        AuthError::Token(error) => {
            CredentialError::Rejected { code: error.code(), message: error.to_string() }
        }
        other => CredentialError::Unavailable(other.to_string()),
    }
}
