//! thirdweb's tokens as a wallet provider: an admin wallet vouches for the address of a user.

mod refusal;
mod token;

use async_trait::async_trait;

pub use refusal::Refusal;
pub use token::{Policy, Verified, verify};

use super::{Credential, CredentialError, WalletIdentity, WalletProvider};
use crate::clock::{SharedClock, Timestamp};
use crate::config::ThirdwebRules;
use crate::ethereum::{Address, SigningKey};

/// What callers name it by.
const NAME: &str = "thirdweb";

/// Vouches for wallets that hold a token of an admin wallet, for one domain.
#[derive(Debug)]
pub struct Thirdweb {
    policy: Policy,
    clock: SharedClock,
}

impl Thirdweb {
    /// By these rules. The address of our own key counts as an admin's.
    pub fn new(rules: &ThirdwebRules, key: Option<SigningKey>, clock: SharedClock) -> Self {
        let own = key.as_ref().map(SigningKey::address);
        let policy = Policy {
            domain: rules.domain.clone(),
            admins: rules.admin_addresses.iter().copied().chain(own).collect(),
            leeway_secs: rules.leeway.as_secs(),
        };
        Self { policy, clock }
    }
}

#[async_trait]
impl WalletProvider for Thirdweb {
    fn name(&self) -> &str {
        NAME
    }

    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError> {
        Ok(identity(verify(credential.text, &self.policy, self.clock.now().secs())?))
    }

    /// Nobody withdraws these tokens: they are made to end soon.
    fn is_withdrawn(&self, _credential: &[u8; 32]) -> bool {
        false
    }
}

/// The wallet is known by its address in lower case, which has one spelling, and shown as EIP-55 spells it.
fn identity(token: Verified) -> WalletIdentity {
    let owner: Address = token.owner;
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
