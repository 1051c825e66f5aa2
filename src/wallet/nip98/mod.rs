//! Nostr keys that sign each request (NIP-98): the credential is the value of the `Authorization` header.
//!
//! `event.rs` verifies an event for the request that it came with. The store knows the events that came before. An event is valid for one question: a replay is refused, also after a restart.

mod error;
mod event;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nostr_sdk::ToBech32;
use serde_json::json;
use sha2::{Digest, Sha256};

pub use error::Nip98Error;
pub use event::{Policy, SignedRequest};

use super::{Credential, CredentialError, WalletIdentity, WalletProvider, nostr_key};
use crate::clock::{SharedClock, Timekeeper, Timestamp};
use crate::config::Nip98;
use crate::store::{Claims, Novelty, Replay, Replays, ShownRequest, StoreError};

/// The name of this provider.
pub const NAME: &str = "nip98";

/// Verifies requests that Nostr keys signed just now.
#[derive(Debug)]
pub struct Nip98Wallets {
    policy: Policy,
    session: Duration,
    clock: SharedClock,
    timekeeper: Arc<Timekeeper>,
    /// Events signed before this time may have been shown to an earlier process.
    since: Timestamp,
    claims: Arc<dyn Claims>,
    replays: Arc<dyn Replays>,
}

impl Nip98Wallets {
    /// Verifies signed requests to this web app.
    pub fn new(
        rules: &Nip98,
        claims: Arc<dyn Claims>,
        replays: Arc<dyn Replays>,
        clock: SharedClock,
        timekeeper: Arc<Timekeeper>,
    ) -> Self {
        let policy = Policy { public_url: rules.public_url.clone(), window: rules.window };
        let since = Timestamp::from_secs(timekeeper.began(clock.now()).secs());
        Self { policy, session: rules.session, clock, timekeeper, since, claims, replays }
    }

    /// Marks an event as used. `false` if it was used before.
    async fn is_new(&self, signed: &SignedRequest, now: Timestamp) -> Result<bool, CredentialError> {
        // One from as far ahead as may be holds for two windows from now; a second more, as events cut theirs off.
        let keep = self.policy.window * 2 + Duration::from_secs(1);
        let settled = self.timekeeper.settled();
        let digest = Sha256::new().chain_update("nip98\0").chain_update(signed.id).finalize().into();
        let shown = ShownRequest { id: digest, signed_at: signed.signed_at };
        let unavailable = |error: StoreError| CredentialError::Unavailable(error.to_string());
        match self.claims.claim_request(&shown, now, settled, keep).await.map_err(unavailable)? {
            Novelty::NewToAll => return Ok(true),
            Novelty::Known => return Ok(false),
            Novelty::NoRoom => {
                let message = "too many signed requests at the same time";
                return Err(CredentialError::Unavailable(message.into()));
            }
            // It is older than the next process, which will refuse it for that: unless the clock goes back.
            Novelty::New if signed.signed_at.secs() < now.secs() && self.timekeeper.is_steady() => {
                return Ok(true);
            }
            Novelty::New => {}
        }
        let shown = Replay { digest, expires_at: now.plus(keep) };
        self.replays.use_up(&shown).await.map_err(unavailable)
    }
}

#[async_trait]
impl WalletProvider for Nip98Wallets {
    fn name(&self) -> &str {
        NAME
    }

    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError> {
        let now = self.clock.now();
        let request = credential.request.as_ref();
        let signed = self.policy.judge(credential.text, request, now)?;
        if signed.signed_at < self.since {
            return Err(Nip98Error::OutsideWindow.into());
        }
        if !self.is_new(&signed, now).await? {
            return Err(Nip98Error::AlreadyUsed.into());
        }
        let key = signed.user.to_hex();
        Ok(WalletIdentity {
            provider: NAME.into(),
            wallet_id: key.clone(),
            auth_method: "nostr".into(),
            auth_identifier: signed.user.to_bech32().unwrap_or_else(|never| match never {}),
            credential: signed.id,
            // Nobody makes a session longer by a clock that runs ahead.
            expires_at: signed.signed_at.min(now).plus(self.session),
            issued_at: Some(signed.signed_at),
            claims: json!({ "pubkey": key, "id": hex::encode(signed.id), "created_at": signed.signed_at.secs() }),
            target_key: Some(key),
            wallets: Vec::new(),
        })
    }

    fn wallet_named(&self, name: &str) -> Result<String, &'static str> {
        nostr_key(name)
    }

    /// An event is valid for one question, so there is nothing to revoke.
    fn is_withdrawn(&self, _: &[u8; 32]) -> bool {
        false
    }
}
