//! Tokens of an issuer that publishes its keys as a JSON Web Key Set: `jwks`, any such issuer, and `para`.
//!
//! A token passes through types that show how far it can be trusted: [`UnverifiedJwt::parse`] checks its form and
//! header, [`Policy::identity`] its signature, audience, times and owner. All of that is pure. The key comes from a
//! [`KeySet`], which `source.rs` fetches and keeps.

mod error;
mod key;
mod lifetime;
mod mapping;
mod para;
mod policy;
mod set;
mod source;
mod token;
mod unverified;

use std::sync::Arc;

use async_trait::async_trait;

pub use error::JwtError;
pub use key::IssuerKey;
pub use policy::Policy;
pub use set::{KeySet, NotAKeySet};
pub use token::UnverifiedJwt;

use super::{Credential, CredentialError, WalletIdentity, WalletProvider};
use crate::clock::SharedClock;
use crate::config::{Jwks, JwtAlgorithm, Para};
use crate::outbound::Outbound;
use crate::tls::Tls;
use mapping::Mapping;
use source::{KeySource, NoKey};

/// Verifies the tokens of one issuer.
#[derive(Debug)]
pub struct JwksWallets {
    policy: Policy,
    keys: Arc<KeySource>,
    clock: SharedClock,
}

impl JwksWallets {
    /// The provider `jwks`, for any issuer.
    pub fn of_issuer(rules: &Jwks, tls: &Tls, clock: SharedClock) -> Self {
        let Jwks { jwks_url, algorithms, max_stale, timeout, allow_private, .. } = rules;
        let outbound = Outbound::new(*timeout, *allow_private, tls);
        let keys = KeySource::new("jwks", jwks_url, algorithms, *max_stale, outbound, Arc::clone(&clock));
        Self { policy: Policy::of_issuer(rules), keys: Arc::new(keys), clock }
    }

    /// The provider `para`, for Para, which signs with RS256.
    pub fn of_para(rules: &Para, tls: &Tls, clock: SharedClock) -> Self {
        let Para { jwks_url, max_stale, timeout, allow_private, .. } = rules;
        let outbound = Outbound::new(*timeout, *allow_private, tls);
        let algorithms = [JwtAlgorithm::RS256];
        let keys = KeySource::new("para", jwks_url, &algorithms, *max_stale, outbound, Arc::clone(&clock));
        Self { policy: Policy::of_para(rules), keys: Arc::new(keys), clock }
    }
}

#[async_trait]
impl WalletProvider for JwksWallets {
    fn name(&self) -> &str {
        self.policy.provider()
    }

    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError> {
        let token = UnverifiedJwt::parse(credential.text)?;
        let key = self.keys.key(token.kid()).await.map_err(|error| match error {
            NoKey::Unknown => JwtError::UnknownKey.into(),
            NoKey::Unavailable => CredentialError::Unavailable("its issuer's keys are not available".into()),
        })?;
        Ok(self.policy.identity(&token, &key, self.clock.now())?)
    }

    /// Issuers do not report what they withdrew, so a token is valid until `exp`.
    fn is_withdrawn(&self, _: &[u8; 32]) -> bool {
        false
    }
}
