//! Delivers events that are due, and sleeps until the next one is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::OsRng;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};

use super::delivery_log::DeliveryLog;
use super::receiver::{Answer, Failure, Receiver};
use super::schedule;
use crate::clock::{SharedClock, Timekeeper};
use crate::config::WebhookRules;
use crate::events::{Event, Events};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::store::{Attempt, Deliveries, Delivery, DeliveryState, Result, StoreError, StreamId};

/// The wall clock may be changed during a sleep, so no sleep is longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// The wait before a failing store is tried again.
const STORE_AGAIN: Duration = Duration::from_secs(2);

/// How long the receiver may still take to answer after the daemon began to stop.
const LAST_CHANCE: Duration = Duration::from_secs(3);

/// Starts the deliveries that are due, at most one of each stream at a time.
pub(super) struct Worker {
    job: Arc<Job>,
    changed: Arc<Notify>,
    lifecycle: Lifecycle,
    /// Streams with a running delivery. Only in memory: after a crash the delivery is repeated.
    busy: HashSet<StreamId>,
    finished: mpsc::UnboundedReceiver<StreamId>,
    finish: mpsc::UnboundedSender<StreamId>,
}

/// What one delivery needs.
pub(super) struct Job {
    pub(super) deliveries: Arc<dyn Deliveries>,
    pub(super) clock: SharedClock,
    pub(super) timekeeper: Arc<Timekeeper>,
    pub(super) rules: WebhookRules,
    pub(super) receiver: Receiver,
    pub(super) events: Events,
    pub(super) metrics: Arc<Metrics>,
    pub(super) log: DeliveryLog,
}

impl Worker {
    /// Runs this, and checks again when something `changed`.
    pub(super) fn new(job: Job, changed: Arc<Notify>, lifecycle: Lifecycle) -> Self {
        let (finish, finished) = mpsc::unbounded_channel();
        Self { job: Arc::new(job), changed, lifecycle, busy: HashSet::new(), finished, finish }
    }

    pub(super) async fn run(mut self) {
        loop {
            let sleep = self.start_due().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot read the deliveries from the store");
                STORE_AGAIN
            });
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = self.job.events.appended(), if self.has_room() => {}
                () = self.changed.notified(), if self.has_room() => {}
                Some(stream) = self.finished.recv() => { self.busy.remove(&stream); }
            }
            while let Ok(stream) = self.finished.try_recv() {
                self.busy.remove(&stream);
            }
        }
    }

    fn has_room(&self) -> bool {
        self.busy.len() < self.job.rules.max_concurrent
    }

    /// Starts due deliveries, as far as there is room. Returns how long to wait for the next one.
    async fn start_due(&mut self) -> Result<Duration> {
        if !self.has_room() {
            return Ok(LONGEST_SLEEP);
        }
        // Those under way are among the heads, so this many hold one for each free place, and the next one.
        let heads = self.job.deliveries.heads(self.job.rules.max_concurrent + 1).await?;
        let now = self.job.clock.now();
        let mut sleep = LONGEST_SLEEP;
        for head in heads {
            let DeliveryState::Head(next_at) = head.state else { continue };
            if self.busy.contains(&head.stream) {
                continue;
            }
            if !schedule::is_due(next_at, now, &self.job.rules) {
                sleep = sleep.min(next_at.since(now));
                continue;
            }
            if !self.has_room() {
                break;
            }
            self.start(head);
        }
        Ok(sleep)
    }

    /// Delivers in a task of its own; a stopping daemon waits for it.
    fn start(&mut self, delivery: Delivery) {
        self.busy.insert(delivery.stream);
        let finish = Finish { stream: delivery.stream, finish: self.finish.clone() };
        let (job, lifecycle) = (Arc::clone(&self.job), self.lifecycle.clone());
        self.lifecycle.spawn(async move {
            let _finish = finish;
            tokio::select! {
                () = job.deliver(&delivery) => {}
                // Still owed, so made again after the restart.
                () = too_late(&lifecycle) => {}
            }
        });
    }
}

/// Resolves when the daemon stops and no longer waits for the receiver.
async fn too_late(lifecycle: &Lifecycle) {
    lifecycle.stopping().await;
    tokio::time::sleep(LAST_CHANCE).await;
}

/// Reports that a delivery has ended, for any reason.
struct Finish {
    stream: StreamId,
    finish: mpsc::UnboundedSender<StreamId>,
}

impl Drop for Finish {
    fn drop(&mut self) {
        // Nobody listens once the daemon stops.
        let _ = self.finish.send(self.stream);
    }
}

impl Job {
    async fn deliver(&self, delivery: &Delivery) {
        let answer = match self.body(delivery).await {
            Ok(body) => self.receiver.post(delivery, body, self.clock.now()).await,
            Err(StoreError::Unavailable(_)) => {
                Answer::Failed { failure: Failure::StoreUnavailable, retry_after: None }
            }
            Err(_) => Answer::Unusable,
        };
        let now = self.clock.now();
        let attempt =
            schedule::decide(delivery, answer, now, self.timekeeper.settled(), &self.rules, &mut OsRng);
        self.metrics.webhook.attempted(result(&attempt));
        self.log.record(delivery, answer, &attempt);
        // Until it is recorded it would be due again at once, so its stream stays busy.
        while let Err(error) = self.deliveries.record_attempt(delivery, now, &attempt).await {
            tracing::warn!(stream_id = %delivery.stream, %error, "cannot store the result of a delivery now; Portico tries again");
            tokio::time::sleep(STORE_AGAIN).await;
        }
    }

    /// The event as the JSON to post.
    async fn body(&self, delivery: &Delivery) -> Result<Vec<u8>> {
        let event = self.events.one(delivery.stream, delivery.index).await?;
        let event = event.ok_or_else(|| StoreError::Corrupt("a delivery has no event".into()))?;
        let posted = Posted { stream_id: delivery.stream.to_string(), event };
        serde_json::to_vec(&posted).map_err(|_| StoreError::Corrupt("cannot serialize an event".into()))
    }
}

/// An event with the name of its stream.
#[derive(Serialize)]
struct Posted {
    stream_id: String,
    #[serde(flatten)]
    event: Event,
}

/// One word for the metrics.
fn result(attempt: &Attempt) -> &'static str {
    match attempt {
        Attempt::Delivered => "delivered",
        Attempt::Again { .. } => "retried",
        Attempt::GivenUp { .. } => "given_up",
    }
}
