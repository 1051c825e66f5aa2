//! Webhooks: every event posted to the operator's own program, at least once and in the order of its stream.
//!
//! The store owes a delivery from the transaction that appended the event ([`Outbox`]), so none is lost.
//! `worker.rs` takes the heads that are due, a bounded number at a time, one of each stream; `receiver.rs`
//! posts them; `schedule.rs` decides what follows from the answer. A delivery that was made but not recorded, because
//! the daemon died in between, is made again under the same `X-Portico-Delivery`.

mod receiver;
mod schedule;
mod signature;
mod worker;

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::Notify;

pub use crate::store::{Delivery, DeliveryState, StreamId, Undelivered};

use crate::clock::SharedClock;
use crate::config::Webhook;
use crate::events::Events;
use crate::lifecycle::Lifecycle;
use crate::store::{Outbox, Result};
use receiver::Receiver;
use worker::Worker;

/// What is undelivered, for whoever operates the daemon. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks {
    outbox: Arc<dyn Outbox>,
    clock: SharedClock,
    /// Wakes the worker when an operator has changed what is due.
    changed: Arc<Notify>,
    enabled: bool,
}

/// What delivering takes.
#[derive(Debug)]
pub struct Parts {
    /// `[webhook]`.
    pub webhook: Webhook,
    /// Signs every request.
    pub secret: SecretString,
    /// Where the events are read, and heard of.
    pub events: Events,
    /// Runs the deliveries.
    pub lifecycle: Lifecycle,
}

impl Webhooks {
    /// Nothing is delivered; what is undelivered from before can be looked at and dropped.
    pub fn off(outbox: Arc<dyn Outbox>, clock: SharedClock) -> Self {
        Self { outbox, clock, changed: Arc::default(), enabled: false }
    }

    /// Delivers what is owed until the daemon stops.
    ///
    /// # Errors
    /// The HTTP client could not be made.
    pub fn start(outbox: Arc<dyn Outbox>, clock: SharedClock, parts: Parts) -> reqwest::Result<Self> {
        let Parts { webhook, secret, events, lifecycle } = parts;
        let webhooks = Self { enabled: true, ..Self::off(outbox, clock) };
        let receiver = Receiver::new(&webhook, &secret)?;
        let worker = Worker::new(&webhooks, webhook.rules, receiver, events, lifecycle.clone());
        lifecycle.run("webhooks", worker.run());
        tracing::info!(url = %webhook.url, "events are posted");
        Ok(webhooks)
    }

    /// Whether events are delivered.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// What is undelivered, of one stream or of all; at most `limit` of it one by one.
    pub async fn undelivered(&self, stream: Option<StreamId>, limit: usize) -> Result<Undelivered> {
        self.outbox.undelivered(stream, limit).await
    }

    /// Begins deliveries anew and at once, of one stream or of all, those given up included. Returns how many.
    pub async fn retry(&self, stream: Option<StreamId>) -> Result<u64> {
        let begun = self.outbox.retry_deliveries(stream, self.clock.now()).await?;
        self.changed.notify_one();
        Ok(begun)
    }

    /// Forgets deliveries, of one stream or of all. Returns how many.
    pub async fn drop_undelivered(&self, stream: Option<StreamId>) -> Result<u64> {
        let dropped = self.outbox.drop_deliveries(stream).await?;
        self.changed.notify_one();
        Ok(dropped)
    }
}
