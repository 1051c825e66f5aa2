//! thirdweb's tokens as a wallet provider: an admin wallet confirms the address of a user.
//!
//! `token.rs` verifies tokens and `issue.rs` makes them; both are pure. With the key of an admin wallet, [`Thirdweb`]
//! issues tokens too, and [`SignIn`] issues them to users who sign a text (`payload.rs`).

mod issue;
mod json;
mod payload;
mod refusal;
mod sign_in;
mod token;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rand::{Rng, thread_rng};
use serde_json::Value;

pub use issue::{ThirdwebClaims, issue};
pub use json::Inexact;
pub use payload::{ExpectedPayload, Payload, SignInRefusal};
pub use refusal::Refusal;
pub use sign_in::{SignIn, SignInError};
pub use token::{Policy, Verified, verify};

use token::has_header;

use super::{Credential, CredentialError, WalletIdentity, WalletProvider, Withdrawals};
use crate::clock::{SharedClock, Timestamp};
use crate::config::ThirdwebRules;
use crate::ethereum::{Address, SigningKey};
use crate::portal_token::MAX_TOKEN_BYTES;

/// The name of this provider.
pub const NAME: &str = "thirdweb";

/// Verifies tokens of admin wallets for one domain.
#[derive(Debug)]
pub struct Thirdweb {
    policy: Policy,
    key: Option<SigningKey>,
    lifetime: Duration,
    max_lifetime: Duration,
    withdrawals: Arc<dyn Withdrawals>,
    clock: SharedClock,
}

/// Why no token was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// There is no key to sign with.
    #[error("no key to issue tokens with: set wallets.thirdweb.admin_key_file")]
    NoKey,
    /// The requested lifetime is not allowed.
    #[error("duration_hours: must be from 1 to {0}")]
    Lifetime(u64),
    /// The additional data cannot be written.
    #[error("ctx: {0}")]
    Context(#[from] Inexact),
    /// The additional data is too large.
    #[error("ctx: the token would be larger than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// The token that it should replace is not valid.
    #[error("token: {0}")]
    Refused(#[from] Refusal),
}

impl Thirdweb {
    /// The provider under these rules. The address of our own key counts as an admin's. Tokens that it signs live at
    /// most `max_lifetime`, and those among the `withdrawals` are not valid.
    pub fn new(
        rules: &ThirdwebRules,
        key: Option<SigningKey>,
        max_lifetime: Duration,
        withdrawals: Arc<dyn Withdrawals>,
        clock: SharedClock,
    ) -> Self {
        let own = key.as_ref().map(SigningKey::address);
        let policy = Policy {
            domain: rules.domain.clone(),
            admins: rules.admin_addresses.iter().copied().chain(own).collect(),
            leeway_secs: rules.leeway.as_secs(),
        };
        Self { policy, key, lifetime: rules.token_lifetime, max_lifetime, withdrawals, clock }
    }

    /// Whether there is a key to issue with.
    ///
    /// # Errors
    /// [`IssueError::NoKey`].
    pub fn can_issue(&self) -> Result<(), IssueError> {
        self.key().map(drop)
    }

    /// Issues a token for this wallet, from now on.
    ///
    /// # Errors
    /// Any [`IssueError`] but `Refused`.
    pub fn issue(
        &self,
        owner: Address,
        lifetime: Option<Duration>,
        context: Option<&Value>,
    ) -> Result<String, IssueError> {
        let key = self.key()?;
        let lifetime = lifetime.unwrap_or(self.lifetime);
        if lifetime.is_zero() || lifetime > self.max_lifetime {
            return Err(IssueError::Lifetime(self.max_lifetime.as_secs() / 3600));
        }
        let id = format!("0x{}", hex::encode(thread_rng().r#gen::<[u8; 32]>()));
        let new = ThirdwebClaims {
            domain: &self.policy.domain,
            owner,
            now: self.clock.now().secs(),
            lifetime_secs: lifetime.as_secs(),
            id: &id,
            context,
        };
        let token = issue(key, &new)?;
        if token.len() > MAX_TOKEN_BYTES { Err(IssueError::TooLarge) } else { Ok(token) }
    }

    /// Issues a successor of a valid token: for the same wallet, with the same context unless another one is given.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn refresh(
        &self,
        token: &str,
        lifetime: Option<Duration>,
        context: Option<&Value>,
    ) -> Result<String, IssueError> {
        let old = self.verify(token)?;
        self.issue(old.owner, lifetime, context.or(old.claims.get("ctx")))
    }

    fn key(&self) -> Result<&SigningKey, IssueError> {
        self.key.as_ref().ok_or(IssueError::NoKey)
    }

    /// Reads a token that is to be revoked. `None`: it is not a thirdweb token.
    ///
    /// # Errors
    /// The first [`Refusal`] that applies, except that a revoked token is not an error here.
    fn read(&self, token: &str) -> Option<Result<Verified, Refusal>> {
        has_header(token).then(|| verify(token, &self.policy, self.clock.now().secs()))
    }

    fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let verified = verify(token, &self.policy, self.clock.now().secs())?;
        if self.withdrawals.is_withdrawn(&verified.id) { Err(Refusal::Revoked) } else { Ok(verified) }
    }
}

#[async_trait]
impl WalletProvider for Thirdweb {
    fn name(&self) -> &str {
        NAME
    }

    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError> {
        Ok(identity(self.verify(credential.text)?))
    }

    fn wallet_named(&self, name: &str) -> Result<String, &'static str> {
        let address: Address = name
            .parse()
            .map_err(|_| "an address: 0x and 40 hex digits, in lower case or as EIP-55 spells it")?;
        Ok(format!("{address:x}"))
    }

    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool {
        self.withdrawals.is_withdrawn(credential)
    }
}

/// The wallet's id is its address in lower case, which has one spelling. Answers show it as in EIP-55.
fn identity(token: Verified) -> WalletIdentity {
    let owner = token.owner;
    WalletIdentity {
        provider: NAME.into(),
        wallet_id: format!("{owner:x}"),
        auth_method: "ethereum".into(),
        auth_identifier: owner.to_string(),
        credential: token.id,
        expires_at: Timestamp::from_secs(token.expires_at),
        issued_at: token.issued_at.map(Timestamp::from_secs),
        target_key: None,
        wallets: Vec::new(),
        claims: token.claims,
    }
}
