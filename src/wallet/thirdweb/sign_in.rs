//! Users log in by signing a text. Portico makes the text, accepts it once, and issues a token for it.

use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, thread_rng};

use super::{ExpectedPayload, IssueError, Payload, SignInRefusal, Thirdweb};
use crate::clock::SharedClock;
use crate::config::ThirdwebRules;
use crate::ethereum::Address;
use crate::store::{SignIns, StoreError};

/// Makes the texts, and checks them when they come back signed.
#[derive(Debug)]
pub struct SignIn {
    /// Issues the tokens.
    pub tokens: Arc<Thirdweb>,
    store: Arc<dyn SignIns>,
    expected: ExpectedPayload,
    lifetime: Duration,
    max_open: usize,
    clock: SharedClock,
}

/// Why a user is not signed in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The requested chain is not allowed.
    #[error("chain_id: must be one of wallets.thirdweb.chain_ids")]
    Chain,
    /// The user is refused.
    #[error(transparent)]
    Refused(#[from] SignInRefusal),
    /// Too many texts wait for a signature.
    #[error("too many payloads wait for a signature (wallets.thirdweb.max_open_payloads)")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    TooMany { retry_after: Duration },
    /// No token can be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SignIn {
    /// Sign-ins under these rules, which issue tokens with `tokens`.
    pub fn new(
        tokens: Arc<Thirdweb>,
        rules: &ThirdwebRules,
        store: Arc<dyn SignIns>,
        clock: SharedClock,
    ) -> Self {
        let expected = ExpectedPayload {
            domain: rules.domain.clone(),
            uri: rules.uri.clone(),
            statement: rules.statement.clone(),
            version: rules.version.clone(),
            chain_ids: rules.chain_ids.clone(),
            resources: rules.resources.clone(),
            leeway_secs: rules.leeway.as_secs(),
        };
        let (lifetime, max_open) = (rules.payload_lifetime, rules.max_open_payloads);
        Self { tokens, store, expected, lifetime, max_open, clock }
    }

    /// Makes a text for this account to sign: on this chain, else on the first configured one, if any.
    ///
    /// # Errors
    /// [`SignInError`]; without a key to issue tokens with, there is an error already here.
    pub async fn offer(&self, address: Address, chain_id: Option<u64>) -> Result<Payload, SignInError> {
        self.tokens.can_issue()?;
        let ExpectedPayload { domain, uri, statement, version, chain_ids, resources, .. } = &self.expected;
        let chain_id = chain_id.or(chain_ids.first().copied());
        if chain_id.is_some_and(|chain| !chain_ids.is_empty() && !chain_ids.contains(&chain)) {
            return Err(SignInError::Chain);
        }
        let now = self.clock.now();
        let expires_at = now.plus(self.lifetime);
        let payload = Payload {
            kind: None,
            address: address.to_string(),
            chain_id: chain_id.map(|chain| chain.to_string()),
            domain: domain.clone(),
            expiration_time: expires_at.to_string(),
            // As long before as after: the user's clock may be behind.
            invalid_before: now.minus(self.lifetime).to_string(),
            issued_at: now.to_string(),
            nonce: format!("0x{}", hex::encode(thread_rng().r#gen::<[u8; 32]>())),
            resources: (!resources.is_empty()).then(|| resources.clone()),
            statement: statement.clone(),
            uri: Some(uri.as_ref().unwrap_or(domain).clone()),
            version: version.clone(),
        };
        match self.store.offer_sign_in(&payload.digest(), expires_at, now, self.max_open).await? {
            None => Ok(payload),
            Some(first) => Err(SignInError::TooMany { retry_after: first.since(now) }),
        }
    }

    /// Issues a token to the account that signed a text. A text with a wrong signature can be tried again.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn complete(&self, payload: &Payload, signature: &str) -> Result<String, SignInError> {
        self.tokens.can_issue()?;
        let owner = payload.verify(signature, &self.expected, self.clock.now())?;
        if !self.store.take_sign_in(&payload.digest()).await? {
            return Err(SignInRefusal::UnknownNonce.into());
        }
        Ok(self.tokens.issue(owner, None, None)?)
    }
}
