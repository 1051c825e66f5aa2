//! Counts and claims that decide who may go on: they are bounds, and not part of the history.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use nostr_sdk::PublicKey;

use super::{Recovered, Result};
use crate::clock::Timestamp;

/// How often a key may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptRules {
    /// How many challenges to it may be open at the same time.
    pub max_open: usize,
    /// How many may be sent to it within the window.
    pub max_in_window: usize,
    /// The window.
    pub window: Duration,
    /// The lifetime of a challenge. Whatever happens, it does not count as open for longer.
    pub ttl: Duration,
}

/// Why a key must not be asked now, and how long until it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooManyPrompts {
    /// It was asked too often within the window.
    InWindow(Duration),
    /// Too many challenges to it are open.
    Open(Duration),
}

/// What a wallet does only so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visit {
    /// It logs in.
    Login,
    /// It renews its access token.
    Refresh,
}

/// So often within any such window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How often.
    pub most: usize,
    /// The window.
    pub window: Duration,
}

/// A signed request that a caller shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownRequest {
    /// A hash of its content.
    pub id: [u8; 32],
    /// When it was signed.
    pub signed_at: Timestamp,
}

/// Whether a signed request is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// It is new, and is known from now on until the process ends.
    New,
    /// It is new, and is known from now on to every process.
    NewToAll,
    /// It was shown before.
    Known,
    /// There is no room to remember it, so it cannot be accepted.
    NoRoom,
}

/// Counts and claims. Each is decided in one step, so of several that come at once no more go through than may.
///
/// A store with one writer decides in memory ([`SoleWriter`](super::SoleWriter)). A store with several writers decides
/// for all of them. Counts need not survive a crash, claims of signed requests must. A time that is later than `now`
/// counts as `now`, because it was taken from a clock that was ahead.
#[async_trait]
pub trait Claims: fmt::Debug + Send + Sync {
    /// Counts a challenge for each of these keys, if there is room for one more for all of them. If not, nothing is
    /// counted.
    async fn claim_prompt(
        &self,
        challenge: &str,
        keys: &[PublicKey],
        now: Timestamp,
        rules: &PromptRules,
    ) -> Result<Option<TooManyPrompts>>;

    /// A challenge to these keys has ended: it still counts as sent, and no longer as open. If the store fails, it
    /// counts as open until its lifetime has passed.
    async fn end_prompt(&self, challenge: &str, keys: &[PublicKey]);

    /// The last challenge that was counted for these keys was never sent: it does not count. If the store fails, it
    /// counts until its time has passed.
    async fn withdraw_prompt(&self, challenge: &str, keys: &[PublicKey]);

    /// Counts what was asked before this process started, unless the store has kept these counts.
    async fn recall_prompts(&self, recovered: &Recovered, rules: &PromptRules) -> Result<()>;

    /// Counts a visit of a wallet, if there is room for one more. If not, returns how long until there is.
    async fn claim_visit(
        &self,
        visit: Visit,
        wallet: (&str, &str),
        now: Timestamp,
        rate: Rate,
    ) -> Result<Option<Duration>>;

    /// Marks a signed request as shown, for this long. A store may forget requests that are older by the settled time.
    async fn claim_request(
        &self,
        shown: &ShownRequest,
        now: Timestamp,
        settled: Timestamp,
        keep: Duration,
    ) -> Result<Novelty>;

    /// Drops counts that no longer matter at `now`.
    async fn tidy_claims(&self, now: Timestamp) -> Result<()>;
}
