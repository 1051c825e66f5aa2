//! Limits how often one user is asked, against prompt bombing: an attacker starts login after login until the
//! tired user approves one.

use std::sync::Arc;

use nostr_sdk::PublicKey;

use super::challenge::random_name;
use super::registry::ChallengeId;
use super::{PortalError, Result};
use crate::clock::Timestamp;
use crate::config::AuthLimits;
use crate::metrics::Limit;
use crate::store::{Claims, PromptRules, TooManyPrompts};

/// A challenge that was counted for the keys that it asks.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) challenge: ChallengeId,
    /// The user's main key first, then the subkeys that the caller named.
    pub(super) keys: Vec<PublicKey>,
}

/// Who is being asked, and was asked lately.
#[derive(Debug)]
pub(super) struct Prompts {
    claims: Arc<dyn Claims>,
    rules: PromptRules,
}

/// The rules of `[auth]`.
pub(super) fn rules(limits: &AuthLimits) -> PromptRules {
    PromptRules {
        max_open: limits.max_open_per_user,
        max_in_window: limits.max_prompts_per_user,
        window: limits.prompt_window,
        ttl: limits.challenge_ttl,
    }
}

impl Prompts {
    pub(super) fn new(claims: Arc<dyn Claims>, limits: &AuthLimits) -> Self {
        Self { claims, rules: rules(limits) }
    }

    /// Counts a new challenge for each of these keys, if there is room for one more for all of them.
    pub(super) async fn ask(&self, keys: Vec<PublicKey>, now: Timestamp) -> Result<Prompt> {
        let challenge = ChallengeId::parse(&random_name()).ok_or(PortalError::Seal)?;
        let refused = self.claims.claim_prompt(challenge.as_str(), &keys, now, &self.rules).await?;
        let (limit, message, wait) = match refused {
            None => return Ok(Prompt { challenge, keys }),
            Some(TooManyPrompts::InWindow(wait)) => {
                (Limit::PromptsPerUser, "this user was asked too often in a short time", wait)
            }
            Some(TooManyPrompts::Open(wait)) => {
                (Limit::OpenPerUser, "this user has too many open challenges", wait)
            }
        };
        Err(PortalError::LimitReached { limit, message, retry_after: Some(wait) })
    }

    /// A challenge that these keys were asked has ended.
    pub(super) async fn answered(&self, challenge: ChallengeId, keys: &[PublicKey]) {
        self.claims.end_prompt(challenge.as_str(), keys).await;
    }

    /// A prompt that was counted never went out.
    pub(super) async fn take_back(&self, challenge: ChallengeId, keys: &[PublicKey]) {
        self.claims.withdraw_prompt(challenge.as_str(), keys).await;
    }

    /// Forgets users who were not asked lately.
    pub(super) async fn tidy(&self, now: Timestamp) {
        if let Err(error) = self.claims.tidy_claims(now).await {
            tracing::debug!(%error, "cannot drop old counts now; Portico tries again");
        }
    }
}
