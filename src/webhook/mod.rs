//! Webhooks: every event posted to the operator's own program, at least once and in the order of its stream.
//!
//! The store owes a delivery from the transaction that appended the event ([`Deliveries`]), so none is lost.
//! `worker.rs` takes the heads that are due, a bounded number at a time, one of each stream; `receiver.rs`
//! posts them; `schedule.rs` decides what follows from the answer. A delivery that was made but not recorded, because
//! the daemon died in between, is made again under the same `X-Portico-Delivery`.

mod receiver;
mod schedule;
mod signature;
mod told;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

pub use crate::store::{Delivery, DeliveryState, StreamId, Undelivered};

use crate::clock::{SharedClock, Timekeeper};
use crate::config::{Webhook, WebhookKeys};
use crate::events::Events;
use crate::lifecycle::Lifecycle;
use crate::metrics::{Metrics, Reading};
use crate::store::{Deliveries, Result};
use crate::tls::Tls;
use receiver::Receiver;
use told::Told;
use worker::{Job, Worker};

/// Counting what waits takes a look at each of them.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// What is undelivered, for whoever operates the daemon. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks {
    deliveries: Arc<dyn Deliveries>,
    clock: SharedClock,
    /// Wakes the worker when an operator has changed what is due.
    changed: Arc<Notify>,
    enabled: bool,
    /// How many deliveries waited when they were counted last.
    waiting: Arc<AtomicU64>,
    /// … and how many lay there given up.
    failed: Arc<AtomicU64>,
    max_waiting: u64,
}

/// What delivering takes.
#[derive(Debug)]
pub struct Parts {
    /// `[webhook]`.
    pub webhook: Webhook,
    /// Sign every request.
    pub keys: WebhookKeys,
    /// Whom to trust.
    pub tls: Tls,
    /// Where the events are read, and heard of.
    pub events: Events,
    /// Which time has certainly passed: what is given up, is given up by that.
    pub timekeeper: Arc<Timekeeper>,
    /// Runs the deliveries.
    pub lifecycle: Lifecycle,
    /// Where attempts are counted.
    pub metrics: Arc<Metrics>,
}

impl Webhooks {
    /// Nothing is delivered; what is undelivered from before can be looked at and dropped.
    pub fn off(deliveries: Arc<dyn Deliveries>, clock: SharedClock) -> Self {
        Self {
            deliveries,
            clock,
            changed: Arc::default(),
            enabled: false,
            waiting: Arc::default(),
            failed: Arc::default(),
            max_waiting: u64::MAX,
        }
    }

    /// Delivers what is owed until the daemon stops.
    pub fn start(deliveries: Arc<dyn Deliveries>, clock: SharedClock, parts: Parts) -> Self {
        let Parts { webhook, keys, tls, events, timekeeper, lifecycle, metrics } = parts;
        let max_waiting = webhook.rules.max_waiting;
        let webhooks = Self { enabled: true, max_waiting, ..Self::off(deliveries, clock) };
        let receiver = Receiver::new(&webhook, &keys, &tls);
        let job = Job {
            deliveries: Arc::clone(&webhooks.deliveries),
            clock: Arc::clone(&webhooks.clock),
            timekeeper,
            rules: webhook.rules,
            receiver,
            events,
            metrics,
            told: Told::default(),
        };
        let worker = Worker::new(job, Arc::clone(&webhooks.changed), lifecycle.clone());
        lifecycle.run("webhooks", worker.run());
        lifecycle.run("webhook backlog", webhooks.clone().count());
        tracing::info!(url = %webhook.url, "events are posted");
        webhooks
    }

    /// Whether events are delivered.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Whether fewer deliveries wait than may; as of [`Webhooks::counted_every`] ago at most.
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < self.max_waiting
    }

    /// How often what waits is counted.
    pub fn counted_every(&self) -> Duration {
        COUNT_EVERY
    }

    /// How much waits, and how much was given up.
    pub fn read_into(&self, reading: &mut Reading) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        reading.gauge("portico_webhook_waiting", "Deliveries that wait.", &[], waiting as f64);
        let failed = self.failed.load(Ordering::Relaxed);
        let help = "Deliveries that were given up, and not asked for again or dropped.";
        reading.gauge("portico_webhook_failed", help, &[], failed as f64);
    }

    async fn count(self) {
        let mut ticks = tokio::time::interval(COUNT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // A store that fails lets nobody open anything either.
            let Ok(undelivered) = self.deliveries.undelivered(None, 0).await else { continue };
            self.waiting.store(undelivered.waiting, Ordering::Relaxed);
            self.failed.store(undelivered.failed, Ordering::Relaxed);
        }
    }

    /// What is undelivered, of one stream or of all; at most `limit` of it one by one.
    pub async fn undelivered(&self, stream: Option<StreamId>, limit: usize) -> Result<Undelivered> {
        self.deliveries.undelivered(stream, limit).await
    }

    /// Begins deliveries anew and at once, of one stream or of all, those given up included. Returns how many.
    pub async fn retry(&self, stream: Option<StreamId>) -> Result<u64> {
        let begun = self.deliveries.retry_deliveries(stream, self.clock.now()).await?;
        self.changed.notify_one();
        Ok(begun)
    }

    /// Forgets deliveries, of one stream or of all. Returns how many.
    pub async fn drop_undelivered(&self, stream: Option<StreamId>) -> Result<u64> {
        let dropped = self.deliveries.drop_deliveries(stream).await?;
        self.changed.notify_one();
        Ok(dropped)
    }
}
