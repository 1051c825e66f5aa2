//! Background work: the relays' signals, deadlines, and removal of old counts.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, Semaphore};

use super::challenge::Challenger;
use super::deadlines::Due;
use super::dispatch::Dispatcher;
use super::prompts::Prompts;
use super::{Opening, Parts, Portal};
use crate::events::FailureCode;
use crate::store::StreamId;

/// How often counts that no longer matter are removed.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// How many messages of wallets may wait for the store at the same time; more wait for a place.
const HANDLED_TOGETHER: usize = 1024;

/// How many streams are ended at the same time when many reach their deadline together.
const ENDED_TOGETHER: usize = 256;

impl Portal {
    /// Starts the service: publishes open requests again, then handles signals until the daemon stops.
    pub fn start(parts: Parts, opening: Opening) -> Arc<Self> {
        let prompts = Prompts::new(parts.store.clone(), &parts.limits);
        let portal = Arc::new(Self {
            tokens: parts.tokens,
            challenger: Challenger::new(
                Arc::clone(&parts.identity),
                parts.relays.clone(),
                parts.store.clone(),
                parts.limits.challenge_ttl,
            ),
            identity: parts.identity,
            limits: parts.limits,
            store: parts.store,
            events: parts.events,
            relays: parts.relays,
            started_at: parts.clock.now(),
            clock: parts.clock,
            lifecycle: parts.lifecycle,
            book: parts.book,
            metrics: parts.metrics,
            registry: opening.registry,
            prompts,
            handling: Arc::new(Semaphore::new(HANDLED_TOGETHER)),
            shown_to: Cache::new(HANDLED_TOGETHER),
            static_tokens: Mutex::default(),
        });
        for publication in opening.publications {
            portal.relays.publish(publication);
        }
        portal.lifecycle.run("relays", portal.relays.stopped());
        portal.relays.handle_with(Arc::new(Dispatcher::of(&portal)));
        let keeper = Arc::clone(&portal);
        portal.lifecycle.run("deadlines", async move { keeper.keep_deadlines().await });
        let tidier = Arc::clone(&portal);
        portal.lifecycle.run("tidy", async move { tidier.tidy().await });
        portal
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
        /// The wait before a failing store is tried again.
        const AGAIN: Duration = Duration::from_secs(2);

        let Some(handshake) = self.registry.handshake(stream) else { return };
        let code: FailureCode = self.why_unanswered(handshake.row.created_at);
        if let Err(error) = self.end_unscanned(&handshake, code, code.reason().to_owned()).await {
            tracing::error!(stream_id = %stream, %error, "cannot end a stream now; Portico tries again");
            self.registry.deadlines.add(self.now_for_deadline().plus(AGAIN), Due::Handshake(stream));
        }
    }

    /// Removes counts that no longer matter: of prompts, and of the visits of wallets.
    async fn tidy(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TIDY_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.prompts.tidy(self.clock.now()).await;
        }
    }
}
