//! What goes on by itself: answers handled on every core, deadlines, tidying up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, Semaphore};

use super::deadlines::Due;
use super::{Opening, Parts, Portal};
use crate::clock::{Jump, SETTLES_AFTER, Timestamp};
use crate::config::{AuthLimits, HistoryRules};
use crate::events::FailureCode;
use crate::relay::Signals;
use crate::store::{PurgeBefore, StreamId};

/// How often history that is of no more use is dropped.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// How long a user who scanned and never logged in is remembered.
const STRANGERS_STAY: Duration = Duration::from_secs(24 * 3600);

/// Messages of wallets that wait for the store at the same time; more wait in the inbox.
const HANDLED_TOGETHER: usize = 1024;

/// Streams that are ended at the same time when many reach their deadline together.
const ENDED_TOGETHER: usize = 256;

impl Portal {
    /// Starts the service: sends again what was open, then handles what comes in until the daemon stops.
    pub fn start(parts: Parts, opening: Opening, signals: Signals) -> Arc<Self> {
        let portal = Arc::new(Self {
            identity: parts.identity,
            tokens: parts.tokens,
            limits: parts.limits,
            history: parts.history,
            delivery_patience: parts.delivery_patience,
            store: parts.store,
            events: parts.events,
            relays: parts.relays,
            started_at: parts.clock.now(),
            clock: parts.clock,
            timekeeper: parts.timekeeper,
            lifecycle: parts.lifecycle,
            book: parts.book,
            metrics: parts.metrics,
            registry: opening.registry,
            prompts: opening.prompts,
            handling: Arc::new(Semaphore::new(HANDLED_TOGETHER)),
            shown_to: Cache::new(HANDLED_TOGETHER),
            static_tokens: Mutex::default(),
        });
        for publication in opening.publications {
            portal.relays.publish(publication);
        }
        let signals = Arc::new(Mutex::new(signals));
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..workers {
            let (portal, signals) = (Arc::clone(&portal), Arc::clone(&signals));
            portal.lifecycle.clone().run("dispatch", async move { portal.dispatch_all(&signals).await });
        }
        let keeper = Arc::clone(&portal);
        portal.lifecycle.run("deadlines", async move { keeper.keep_deadlines().await });
        let tidier = Arc::clone(&portal);
        portal.lifecycle.run("tidy", async move { tidier.tidy().await });
        portal
    }

    async fn dispatch_all(self: Arc<Self>, signals: &Mutex<Signals>) {
        loop {
            let signal = signals.lock().await.recv().await;
            let Some(signal) = signal else { return };
            self.dispatch(signal).await;
        }
    }

    async fn keep_deadlines(self: Arc<Self>) {
        loop {
            let due = self.registry.deadlines.next(&*self.clock).await;
            let ended = due.into_iter().map(|due| self.end(due));
            futures_util::stream::iter(ended).for_each_concurrent(ENDED_TOGETHER, |ended| ended).await;
        }
    }

    async fn end(self: &Arc<Self>, due: Due) {
        match due {
            Due::Handshake(stream) => self.expire_handshake(stream).await,
            Due::Challenge(id) => {
                if let Some(challenge) = self.registry.challenge(id) {
                    self.expire_challenge(challenge);
                }
            }
        }
    }

    async fn expire_handshake(&self, stream: StreamId) {
        /// A store that fails is asked again after this long.
        const AGAIN: Duration = Duration::from_secs(2);

        let Some(handshake) = self.registry.handshake(stream) else { return };
        let code: FailureCode = self.why_unanswered(handshake.row.created_at);
        if let Err(error) = self.end_unscanned(&handshake, code, code.reason().to_owned()).await {
            tracing::error!(stream_id = %stream, %error, "cannot end a stream yet");
            self.registry.deadlines.add(self.now_for_deadline().plus(AGAIN), Due::Handshake(stream));
        }
    }

    async fn tidy(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TIDY_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Some(jump) = self.timekeeper.look() {
                self.clock_jumped(jump);
            }
            self.prompts.tidy(self.clock.now());
            // What is dropped is gone for good, so the clock alone does not say when.
            let now = self.timekeeper.settled();
            self.tokens.revoked().tidy(now);
            let before = PurgeBefore {
                deliveries: now.minus(self.delivery_patience),
                ..of_no_more_use(&self.limits, &self.history, now)
            };
            match self.store.purge(&before).await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(rows, "dropped old history"),
                Err(error) => tracing::warn!(%error, "cannot drop old history now"),
            }
            // After the purge: whoever sees the time there knows what it led to.
            if let Err(error) = self.store.see_clock(&self.timekeeper.seen()).await {
                tracing::warn!(%error, "cannot remember the time now");
            }
        }
    }

    /// Tells of a jump of the clock. Its time being over drops nothing for a while.
    pub fn clock_jumped(&self, jump: Jump) {
        let by = humantime::format_duration(Duration::from_secs(jump.distance().as_secs()));
        let settles = humantime::format_duration(SETTLES_AFTER);
        self.metrics.clock.jumped(jump.direction());
        tracing::warn!(
            direction = jump.direction(),
            %by,
            "the clock jumped, or the daemon was off for that long: nothing is purged until it has run for {settles} without another jump"
        );
    }
}

/// What nobody can have a use for at `now`.
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
