//! Sessions that Para's and Capsule's libraries export (`exportSession()`), as credentials.
//!
//! The session itself proves nothing: except for the cookie, its owner can write anything into it. So Portico uses
//! only the cookie, and compares the rest with what the provider's API answers about that cookie. It does not even
//! read the shares of the user's key in it (`signer`, `parse.rs`).

mod api;
mod breaker;
mod json;
mod known;
mod parse;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Credential, CredentialError, FurtherWallet, WalletIdentity, WalletProvider};
use crate::clock::SharedClock;
use crate::config::{ParaApiKeys, ParaSessionRules};
use crate::tls::Tls;
use api::{Api, Identifier};
pub use api::{CAPSULE, Dialect, PARA};
use breaker::{Asker, Name};
use known::Known;
pub use parse::{EmbeddedWallet, ExportedSession, MAX_SESSION_BYTES, SessionFormatError};

/// How many addresses are remembered with their wallet. An address never moves to another wallet.
const ADDRESSES: usize = 50_000;

/// Verifies users with an active session at Para or Capsule, in our app.
#[derive(Debug)]
pub struct ParaSessions {
    dialect: &'static Dialect,
    api: Api,
    partner_id: String,
    refuse_signers: bool,
    lifetime: Duration,
    known: Known<Word>,
    wallets: Cache<String, String>,
    clock: SharedClock,
}

/// The provider's answer about a session.
#[derive(Debug)]
struct Word {
    user_id: String,
    lookup_id: SecretString,
    /// Their kinds, by their ids.
    wallets: BTreeMap<String, String>,
    known_as: Identifier,
}

impl ParaSessions {
    /// The provider under these rules.
    pub fn new(
        dialect: &'static Dialect,
        rules: &ParaSessionRules,
        keys: ParaApiKeys,
        tls: &Tls,
        clock: SharedClock,
    ) -> Self {
        Self {
            dialect,
            api: Api::new(dialect, rules, keys, tls, Arc::clone(&clock)),
            partner_id: rules.partner_id.clone(),
            refuse_signers: rules.refuse_signers,
            lifetime: rules.session,
            known: Known::new(rules.cache, Arc::clone(&clock)),
            wallets: Cache::new(ADDRESSES),
            clock,
        }
    }

    /// Asks the provider whether a session is active, and who its user is, unless a recent answer is known.
    async fn ask(
        &self,
        name: Name,
        cookie: &SecretString,
        before: Option<Arc<Word>>,
    ) -> Result<Word, CredentialError> {
        let asker = Asker { name, is_known: before.is_some() };
        let active = self.api.touch(asker, cookie).await?.ok_or_else(inactive)?;
        if active.partner_id != self.partner_id {
            return Err(rejected("wrong_partner", "the session belongs to another app"));
        }
        let is_same = |word: &&Arc<Word>| {
            word.user_id == active.user_id
                && word.lookup_id.expose_secret() == active.lookup_id.expose_secret()
        };
        let known_as = match before.as_ref().filter(is_same) {
            Some(word) => word.known_as.clone(),
            None => self.api.identifier(asker, &active.lookup_id).await?.ok_or_else(inactive)?,
        };
        let (user_id, lookup_id, wallets) = (active.user_id, active.lookup_id, active.wallets);
        Ok(Word { user_id, lookup_id, wallets, known_as })
    }

    /// The wallets in a session that belong to the user according to the provider, each with the address that the
    /// provider has for it.
    async fn vouched_for(
        &self,
        name: Name,
        told: Vec<EmbeddedWallet>,
        word: &Word,
    ) -> Result<Vec<FurtherWallet>, CredentialError> {
        // Its session is active.
        let asker = Asker { name, is_known: true };
        let mut vouched = Vec::new();
        for EmbeddedWallet { id, address } in told {
            let Some(kind) = word.wallets.get(&id).cloned() else { continue };
            let find = async { self.api.wallet_of(asker, &address).await?.ok_or_else(wrong_wallet) };
            if self.wallets.get_or_insert_async(&address, find).await? != id {
                return Err(wrong_wallet());
            }
            vouched.push(FurtherWallet { id: Some(id), kind, address });
        }
        Ok(vouched)
    }

    /// The name of a session: a hash of its cookie, whatever the rest contains.
    fn name_of(&self, cookie: &SecretString) -> Name {
        let mut hash = Sha256::new();
        hash.update(self.dialect.name);
        hash.update([0]);
        hash.update(cookie.expose_secret());
        hash.finalize().into()
    }
}

#[async_trait]
impl WalletProvider for ParaSessions {
    fn name(&self) -> &str {
        self.dialect.name
    }

    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError> {
        let session = ExportedSession::parse(credential.text)
            .map_err(|error| CredentialError::Rejected { code: error.code(), message: error.to_string() })?;
        if self.refuse_signers && session.signers > 0 {
            return Err(rejected(
                "signer_in_session",
                "it contains a share of the user's key: export it without",
            ));
        }
        let name = self.name_of(&session.cookie);
        let word = self.known.get(name, |before| self.ask(name, &session.cookie, before)).await?;
        if word.user_id != session.user_id {
            return Err(rejected("user_mismatch", "the session belongs to another user than it says"));
        }
        let wallets = self.vouched_for(name, session.wallets, &word).await?;
        let Identifier { auth_type, identifier } = &word.known_as;
        Ok(WalletIdentity {
            provider: self.dialect.name.into(),
            wallet_id: word.user_id.clone(),
            auth_method: auth_type.clone(),
            auth_identifier: identifier.clone(),
            credential: name,
            expires_at: self.clock.now().plus(self.lifetime),
            issued_at: None,
            target_key: None,
            claims: json!({
                "userId": word.user_id,
                "partnerId": self.partner_id,
                "authType": auth_type,
                "identifier": identifier,
                "wallets": wallets,
            }),
            wallets,
        })
    }

    /// The provider does not report ended sessions; the next check with the credential notices.
    fn is_withdrawn(&self, _credential: &[u8; 32]) -> bool {
        false
    }
}

fn rejected(code: &'static str, message: &str) -> CredentialError {
    CredentialError::Rejected { code, message: message.into() }
}

fn inactive() -> CredentialError {
    rejected("session_inactive", "the provider does not know it as an active session")
}

fn wrong_wallet() -> CredentialError {
    rejected("wallet_mismatch", "an address in the session does not belong to its wallet")
}
