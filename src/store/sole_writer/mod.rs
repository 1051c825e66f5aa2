//! Counts and claims that memory decides, because the store has one writer, which is this process.

mod prompts;
mod shown;
mod visits;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nostr_sdk::PublicKey;

use self::prompts::Prompts;
use self::shown::Shown;
use self::visits::Visits;
use super::{Claims, Novelty, PromptRules, Rate, Recovered, Result, ShownRequest, TooManyPrompts, Visit};
use crate::clock::Timestamp;

/// The counts and claims of this process.
#[derive(Debug, Default)]
pub struct ClaimsInMemory {
    prompts: Prompts,
    visits: Visits,
    shown: Mutex<Shown>,
}

/// A store that this process alone writes, so its [`Claims`] are decided in memory.
pub trait SoleWriter: std::fmt::Debug + Send + Sync {
    /// The claims.
    fn claims(&self) -> &ClaimsInMemory;
}

#[async_trait]
impl<S: SoleWriter> Claims for S {
    async fn claim_prompt(
        &self,
        _challenge: &str,
        keys: &[PublicKey],
        now: Timestamp,
        rules: &PromptRules,
    ) -> Result<Option<TooManyPrompts>> {
        Ok(self.claims().prompts.claim(keys, now, rules).err())
    }

    async fn end_prompt(&self, _challenge: &str, keys: &[PublicKey]) {
        self.claims().prompts.end(keys);
    }

    async fn withdraw_prompt(&self, _challenge: &str, keys: &[PublicKey]) {
        self.claims().prompts.withdraw(keys);
    }

    async fn recall_prompts(&self, recovered: &Recovered, rules: &PromptRules) -> Result<()> {
        self.claims().prompts.recall(recovered, rules);
        Ok(())
    }

    async fn claim_visit(
        &self,
        visit: Visit,
        wallet: (&str, &str),
        now: Timestamp,
        rate: Rate,
    ) -> Result<Option<Duration>> {
        Ok(self.claims().visits.claim(visit, wallet, now, rate).err())
    }

    async fn claim_request(
        &self,
        shown: &ShownRequest,
        now: Timestamp,
        settled: Timestamp,
        keep: Duration,
    ) -> Result<Novelty> {
        let mut known = self.claims().shown.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.note(shown, now, settled, keep))
    }

    async fn tidy_claims(&self, now: Timestamp) -> Result<()> {
        self.claims().prompts.tidy(now);
        self.claims().visits.tidy(now);
        Ok(())
    }
}
