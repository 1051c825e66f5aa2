//! Webhooks: Portico posts every event to the operator's own program, at least once and in the order of its
//! stream.
//!
//! The transaction that appends an event also adds its delivery ([`Deliveries`]), so none is lost.
//! `worker.rs` takes the heads that are due, a bounded number at a time, one of each stream; `receiver.rs`
//! posts them; `schedule.rs` decides what follows from the answer. If the daemon stops after a delivery and
//! before it is recorded, the delivery is repeated with the same `X-Portico-Delivery`.

mod delivery_log;
mod receiver;
mod schedule;
mod signature;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

pub use crate::store::{Delivery, DeliveryState, StreamId, Undelivered};

use crate::actor::Actor;
use crate::clock::{SharedClock, Timekeeper, Timestamp};
use crate::config::{Webhook, WebhookKeys};
use crate::events::Events;
use crate::lifecycle::Lifecycle;
use crate::metrics::{Metrics, Reading};
use crate::store::{AuditDraft, AuditKind, Deliveries, Result};
use crate::tls::Tls;
use delivery_log::DeliveryLog;
use receiver::Receiver;
use worker::{Job, Worker};

/// Counting the waiting deliveries reads each of them.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// The undelivered events, for operators. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks {
    deliveries: Arc<dyn Deliveries>,
    clock: SharedClock,
    /// Wakes the worker when an operator has changed the deliveries.
    changed: Arc<Notify>,
    enabled: bool,
    /// How many deliveries waited at the last count.
    waiting: Arc<AtomicU64>,
    /// … and how many had been given up.
    failed: Arc<AtomicU64>,
    max_waiting: u64,
}

/// What the webhook needs.
#[derive(Debug)]
pub struct Parts {
    /// `[webhook]`.
    pub webhook: Webhook,
    /// Signs every request.
    pub keys: WebhookKeys,
    /// The TLS trust settings.
    pub tls: Tls,
    /// Where to read the events, and to learn of new ones.
    pub events: Events,
    /// Gives the settled time, which decides when a delivery is given up.
    pub timekeeper: Arc<Timekeeper>,
    /// Runs the deliveries.
    pub lifecycle: Lifecycle,
    /// Counts the attempts.
    pub metrics: Arc<Metrics>,
}

impl Webhooks {
    /// Without a webhook: delivers nothing. Undelivered events from before can be listed and dropped.
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

    /// Delivers events until the daemon stops.
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
            log: DeliveryLog::default(),
        };
        let worker = Worker::new(job, Arc::clone(&webhooks.changed), lifecycle.clone());
        lifecycle.run("webhooks", worker.run());
        lifecycle.run("webhook backlog", webhooks.clone().count());
        tracing::info!(url = %webhook.url, "Portico posts events to the webhook");
        webhooks
    }

    /// Whether events are delivered.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Whether fewer deliveries wait than `webhook.max_waiting`. The count is at most
    /// [`Webhooks::counted_every`] old.
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < self.max_waiting
    }

    /// How often the waiting deliveries are counted.
    pub fn counted_every(&self) -> Duration {
        COUNT_EVERY
    }

    /// Adds how many deliveries wait, and how many were given up.
    pub fn read_into(&self, reading: &mut Reading) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        reading.gauge("portico_webhook_waiting", "Deliveries to the webhook that wait.", &[], waiting as f64);
        let failed = self.failed.load(Ordering::Relaxed);
        let help = "Deliveries that Portico gave up, and that were neither retried nor dropped since.";
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

    /// The undelivered events of one stream or of all; at most `limit` of them are listed.
    pub async fn undelivered(&self, stream: Option<StreamId>, limit: usize) -> Result<Undelivered> {
        self.deliveries.undelivered(stream, limit).await
    }

    /// Retries the deliveries of one stream or of all at once, including those given up. Returns how many.
    pub async fn retry(&self, stream: Option<StreamId>, actor: &Actor) -> Result<u64> {
        let now = self.clock.now();
        let record = record_of(AuditKind::WebhooksRetried, stream, actor, now);
        let begun = self.deliveries.retry_deliveries(stream, now, &record).await?;
        tracing::info!(by = %actor, deliveries = begun, "deliveries to the webhook retried");
        self.changed.notify_one();
        Ok(begun)
    }

    /// Drops the deliveries of one stream or of all. Returns how many.
    pub async fn drop_undelivered(&self, stream: Option<StreamId>, actor: &Actor) -> Result<u64> {
        let record = record_of(AuditKind::WebhooksDropped, stream, actor, self.clock.now());
        let dropped = self.deliveries.drop_deliveries(stream, &record).await?;
        tracing::info!(by = %actor, deliveries = dropped, "deliveries to the webhook dropped");
        self.changed.notify_one();
        Ok(dropped)
    }
}

/// The audit record of a change to the deliveries of one stream, or of all.
fn record_of(kind: AuditKind, stream: Option<StreamId>, actor: &Actor, now: Timestamp) -> AuditDraft {
    let detail = stream.map_or_else(|| json!({ "all": true }), |stream| json!({ "stream_id": stream }));
    actor.did(kind, now).with(&detail)
}
