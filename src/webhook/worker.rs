//! Delivers what is due, and sleeps until something is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::OsRng;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};

use super::receiver::{Answer, Failure, Receiver};
use super::schedule;
use super::told::Told;
use crate::clock::{SharedClock, Timekeeper};
use crate::config::WebhookRules;
use crate::events::{Event, Events};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::store::{Attempt, Deliveries, Delivery, DeliveryState, Result, StoreError, StreamId};

/// The wall clock may be set while we sleep, so no sleep is longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// A store that fails is asked again after this long.
const STORE_AGAIN: Duration = Duration::from_secs(2);

/// How long the receiver may still take to answer once the daemon stops.
const LAST_CHANCE: Duration = Duration::from_secs(3);

/// Takes what is due and has it delivered, at most one of each stream at a time.
pub(super) struct Worker {
    job: Arc<Job>,
    changed: Arc<Notify>,
    lifecycle: Lifecycle,
    /// Streams of which a delivery is under way. Only in memory: after a crash it is made again.
    busy: HashSet<StreamId>,
    finished: mpsc::UnboundedReceiver<StreamId>,
    finish: mpsc::UnboundedSender<StreamId>,
}

/// What one delivery takes.
pub(super) struct Job {
    pub(super) deliveries: Arc<dyn Deliveries>,
    pub(super) clock: SharedClock,
    pub(super) timekeeper: Arc<Timekeeper>,
    pub(super) rules: WebhookRules,
    pub(super) receiver: Receiver,
    pub(super) events: Events,
    pub(super) metrics: Arc<Metrics>,
    pub(super) told: Told,
}

impl Worker {
    /// Does this, and looks again when something `changed`.
    pub(super) fn new(job: Job, changed: Arc<Notify>, lifecycle: Lifecycle) -> Self {
        let (finish, finished) = mpsc::unbounded_channel();
        Self { job: Arc::new(job), changed, lifecycle, busy: HashSet::new(), finished, finish }
    }

    pub(super) async fn run(mut self) {
        loop {
            let sleep = self.start_due().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot read what is to be delivered");
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

    /// Starts what is due, as far as there is room; how long until the next is.
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

    /// Delivers in a task of its own, which a stop of the daemon waits for.
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

/// Resolves when the daemon stops and cannot wait for the receiver any longer.
async fn too_late(lifecycle: &Lifecycle) {
    lifecycle.stopping().await;
    tokio::time::sleep(LAST_CHANCE).await;
}

/// Says that a delivery is over, however it ended.
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
        self.told.tell(delivery, answer, &attempt);
        // Until it is recorded it would be due again at once, so its stream stays busy.
        while let Err(error) = self.deliveries.record_attempt(delivery, now, &attempt).await {
            tracing::warn!(stream_id = %delivery.stream, %error, "a delivery cannot be recorded yet");
            tokio::time::sleep(STORE_AGAIN).await;
        }
    }

    /// The event as it is posted.
    async fn body(&self, delivery: &Delivery) -> Result<Vec<u8>> {
        let event = self.events.one(delivery.stream, delivery.index).await?;
        let event = event.ok_or_else(|| StoreError::Corrupt("a delivery without an event".into()))?;
        let posted = Posted { stream_id: delivery.stream.to_string(), event };
        serde_json::to_vec(&posted).map_err(|_| StoreError::Corrupt("an event cannot be written".into()))
    }
}

/// An event on its own, away from its stream.
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
