//! Deletes old history from the store, and watches the clock that decides what is old.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::clock::{Jump, SETTLES_AFTER, Timekeeper, Timestamp};
use crate::config::{AuthLimits, HistoryRules};
use crate::metrics::Metrics;
use crate::store::{PurgeBefore, Upkeep};
use crate::tokens::RevokedTokens;

/// How often old history is deleted.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// How long a user who scanned and never logged in is kept.
const STRANGERS_STAY: Duration = Duration::from_secs(24 * 3600);

/// Keeps the store from growing.
#[derive(Debug)]
pub struct Housekeeping {
    /// `[auth]`.
    pub limits: AuthLimits,
    /// `[history]`.
    pub history: HistoryRules,
    /// How long a delivery to the webhook may wait and keep its stream from being deleted.
    pub delivery_patience: Duration,
    /// The store to clean up.
    pub store: Arc<dyn Upkeep>,
    /// State in memory to clean up.
    pub revoked: Arc<RevokedTokens>,
    /// Gives the settled time, which decides what is deleted.
    pub timekeeper: Arc<Timekeeper>,
    /// Counts the jumps of the clock.
    pub metrics: Arc<Metrics>,
}

impl Housekeeping {
    /// Runs as long as the daemon does.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(TIDY_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tidy().await;
        }
    }

    async fn tidy(&self) {
        if let Some(jump) = self.timekeeper.look() {
            self.clock_jumped(jump);
        }
        // A deletion cannot be undone, so the wall clock alone does not decide it.
        let now = self.timekeeper.settled();
        self.revoked.tidy(now);
        let before = PurgeBefore {
            deliveries: now.minus(self.delivery_patience),
            ..of_no_more_use(&self.limits, &self.history, now)
        };
        match self.store.purge(&before).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "deleted old history"),
            Err(error) => tracing::warn!(%error, "cannot delete old history now"),
        }
        // After the purge: when the store has this time, everything that expired by then is deleted.
        if let Err(error) = self.store.see_clock(&self.timekeeper.seen()).await {
            tracing::warn!(%error, "cannot store the current time now");
        }
    }

    /// Reports a jump of the clock. Nothing is deleted because of it for a while.
    pub fn clock_jumped(&self, jump: Jump) {
        let by = humantime::format_duration(Duration::from_secs(jump.distance().as_secs()));
        let settles = humantime::format_duration(SETTLES_AFTER);
        self.metrics.clock.jumped(jump.direction());
        tracing::warn!(
            direction = jump.direction(),
            %by,
            "the clock jumped, or the daemon was stopped for that long: Portico deletes nothing until it has run for {settles} without another jump"
        );
    }
}

/// What is no longer needed at `now`.
fn of_no_more_use(limits: &AuthLimits, history: &HistoryRules, now: Timestamp) -> PurgeBefore {
    // Nothing has happened before the epoch.
    let kept_since = |keep: Duration| if keep.is_zero() { Timestamp::default() } else { now.minus(keep) };
    PurgeBefore {
        revocations: now,
        replays: now,
        // Twice the age that a scan may have: a replayed one is too old before it is forgotten.
        scans: now.minus(limits.max_event_age * 2 + TIDY_EVERY),
        challenges: now.minus(limits.prompt_window),
        strangers: now.minus(STRANGERS_STAY),
        streams: kept_since(history.keep),
        deliveries: Timestamp::default(),
        sessions: kept_since(history.keep),
        users: kept_since(history.keep_users),
        audit: kept_since(history.keep_audit),
        at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_kept_for_as_long_as_configured_and_for_good_at_zero() {
        let now = Timestamp::from_secs(1_800_000_000);
        let kept_since = |keep| {
            let history = HistoryRules { keep, ..HistoryRules::default() };
            of_no_more_use(&AuthLimits::default(), &history, now).streams
        };
        assert_eq!(kept_since(Duration::from_secs(3600)), Timestamp::from_secs(1_799_996_400));
        assert_eq!(kept_since(Duration::ZERO), Timestamp::from_secs(0));
    }

    #[test]
    fn a_replayed_scan_is_too_old_before_it_is_forgotten() {
        let (limits, now) = (AuthLimits::default(), Timestamp::from_secs(1_800_000_000));
        let forgotten = of_no_more_use(&limits, &HistoryRules::default(), now).scans;
        assert!(now.since(forgotten) > limits.max_event_age * 2);
    }
}
