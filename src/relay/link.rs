//! Looks after one relay, from when it is added until it is removed.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use nostr_sdk::prelude::{ClientMessage, EventId, Filter, JsonUtil, SubscriptionId, Timestamp as Seconds};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::LinkError;
use super::handling::Handling;
use super::health::{Origin, RelayHealth, RelayState};
use super::inbound::Inbound;
use super::lane::{Job, Lane};
use super::options::{RelayOptions, RelaySpec};
use super::outbox::{Open, Outbox};
use super::pause::Pauses;
use super::reach::Attempts;
use super::readiness::Readiness;
use super::tap::{SUBSCRIPTION, Tap};
use super::tasks::Tasks;
use super::wire::Wire;
use crate::clock::{SharedClock, Timestamp};
use crate::shown;

/// The queue to a relay could hold more; Portico keeps it short, so that urgent messages do not wait behind
/// others.
const HIGH_WATER: usize = 16;

/// State that all relays share.
pub(super) struct Shared {
    pub(super) options: RelayOptions,
    pub(super) clock: SharedClock,
    pub(super) outbox: Outbox,
    pub(super) inbound: Arc<Inbound>,
    pub(super) handling: Handling,
    pub(super) readiness: Arc<Readiness>,
    pub(super) tasks: Tasks,
}

/// A relay and its state.
pub(super) struct Link {
    pub(super) spec: RelaySpec,
    pub(super) origin: Origin,
    pub(super) tap: Arc<Tap>,
    /// Ends the tasks of this relay.
    pub(super) stop: CancellationToken,
    pub(super) shared: Arc<Shared>,
    /// Callers that wait for the relay's answer (`OK`) to an event.
    pub(super) verdicts: DashMap<EventId, oneshot::Sender<(bool, String)>>,
    /// Set while there is a connection: where its messages go.
    outgoing: Mutex<Option<mpsc::Sender<Vec<String>>>>,
    /// Cancelled when the tasks that hold the connection have ended.
    gone: CancellationToken,
    /// Set while the relay is ready (or connected, if it is only written to).
    lane: Mutex<Option<Lane>>,
    /// Notified when the lane has something new.
    work: Notify,
    /// When a publication last named this relay, in milliseconds.
    last_used: AtomicU64,
}

impl Link {
    pub(super) fn new(spec: RelaySpec, origin: Origin, tap: Arc<Tap>, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            spec,
            origin,
            tap,
            stop: shared.tasks.child(),
            verdicts: DashMap::new(),
            outgoing: Mutex::default(),
            gone: CancellationToken::new(),
            lane: Mutex::default(),
            work: Notify::new(),
            last_used: AtomicU64::new(shared.clock.now().millis()),
            shared,
        })
    }

    /// Looks after the relay until the link ends.
    pub(super) fn start(self: &Arc<Self>) {
        // Made before the task runs: the task may be stopped before it begins.
        let alive = Arc::new(self.gone.clone().drop_guard());
        self.shared.tasks.spawn(self.stop.clone(), Arc::clone(self).run(alive));
    }

    /// Ends the tasks of the relay.
    pub(super) fn end(&self) {
        self.stop.cancel();
    }

    /// Resolves when the connection to the relay is gone, after [`Link::end`]. No other one can follow: the
    /// task that would make it has ended.
    pub(super) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Looks after the relay, connection by connection. `alive` lasts as long as anything that holds a connection.
    async fn run(self: Arc<Self>, alive: Arc<DropGuard>) {
        let (mut attempts, mut pauses) = (Attempts::default(), Pauses::default());
        loop {
            let (socket, pace) = self.reach(&mut attempts).await;
            let keys = self.shared.options.keys.clone();
            let (wire, connection) = Wire::new(socket, &self.tap, pace, keys);
            let alive = Arc::clone(&alive);
            // It ends by itself, when `connection` is dropped: it still has to say farewell.
            self.shared.tasks.spawn(CancellationToken::new(), async move {
                wire.run().await;
                drop(alive);
            });
            attempts.connected(Instant::now());
            *self.outgoing() = Some(connection.outgoing.clone());
            tracing::info!(relay = %shown::relay(&self.spec.url), "connected");
            self.enter(RelayState::Subscribing);
            let hostile = tokio::select! {
                () = self.listen(connection) => false,
                () = self.speak() => false,
                () = self.turns_hostile() => true,
            };
            tracing::info!(relay = %shown::relay(&self.spec.url), "disconnected");
            attempts.ended(Instant::now());
            *self.outgoing() = None;
            self.close_lane();
            self.verdicts.clear();
            self.tap.questions.end_all();
            self.tap.health.failed(LinkError::Lost);
            if hostile {
                attempts = Attempts::default();
                self.pause(pauses.next(self.shared.options.pause, Instant::now())).await;
            }
            self.enter(RelayState::Connecting);
        }
    }

    /// Sends the publications of the lane while the connection lasts.
    async fn speak(&self) {
        loop {
            if self.queued() >= HIGH_WATER {
                self.tap.drained.notified().await;
                continue;
            }
            let now = Instant::now();
            let (jobs, next) = self.with_lane(|lane| (lane.take(now), lane.next(now))).unwrap_or_default();
            if jobs.is_empty() {
                tokio::select! {
                    () = self.work.notified() => {}
                    () = sleep_until(next) => {}
                }
            } else {
                self.send(jobs, now);
            }
        }
    }

    fn send(&self, mut jobs: Vec<Job>, now: Instant) {
        let time = self.shared.clock.now();
        let general = self.is_general();
        jobs.retain(|job| !job.open.is_expired(time) && job.open.is_for(&self.spec.url, general));
        if jobs.is_empty() {
            return;
        }
        let message = |job: &Job| ClientMessage::Event(Cow::Borrowed(&*job.open.event)).as_json();
        let sent = self.tell_all(jobs.iter().map(message).collect());
        if sent {
            self.tap.health.tally.sent.add(jobs.len() as u64);
        }
        // "Sent" is what we know, not that it arrived: hence the repetitions.
        self.with_lane(|lane| {
            for job in &jobs {
                if sent { lane.sent(job, now) } else { lane.failed(job, now) }
            }
        });
    }

    /// Sends a new publication, if it is meant for this relay and the relay is ready.
    pub(super) fn offer(&self, open: &Arc<Open>) {
        if self.spec.write
            && open.is_for(&self.spec.url, self.is_general())
            && self.with_lane(|lane| lane.push(open)).is_some()
        {
            self.work.notify_one();
        }
    }

    /// Starts to send events; all open publications follow gradually.
    pub(super) fn open_lane(&self) {
        if self.spec.write {
            *self.lane() = Some(Lane::default());
            self.refill();
        }
    }

    /// Sends all open publications again.
    pub(super) fn refill(&self) {
        // The lane is locked while the list is made. Publications in the meantime wait for the lock, and come after
        // the list.
        self.with_lane(|lane| lane.refill(self.shared.outbox.open_for(&self.spec.url, self.is_general())));
        self.work.notify_one();
    }

    /// Stops sending events.
    pub(super) fn close_lane(&self) {
        *self.lane() = None;
    }

    /// Opens the one subscription, or opens it again. Returns `false` if the `REQ` could not be sent.
    pub(super) fn subscribe(&self) -> bool {
        let options = &self.shared.options;
        let since = self.shared.clock.now().minus(options.overlap);
        let filter = Filter::new()
            .kinds(options.kinds.iter().copied())
            .pubkeys(options.our_keys.iter().copied())
            .since(Seconds::from_secs(since.secs()));
        self.tell(ClientMessage::req(SubscriptionId::new(SUBSCRIPTION), vec![filter]))
    }

    /// Sends a message. Returns `false` if it cannot be sent now.
    pub(super) fn tell(&self, message: ClientMessage<'_>) -> bool {
        self.tell_all(vec![message.as_json()])
    }

    fn tell_all(&self, messages: Vec<String>) -> bool {
        self.outgoing().as_ref().is_some_and(|outgoing| outgoing.try_send(messages).is_ok())
    }

    /// How many batches of messages wait to be sent.
    fn queued(&self) -> usize {
        self.outgoing().as_ref().map_or(0, |outgoing| outgoing.max_capacity() - outgoing.capacity())
    }

    /// Whether it gets every publication, and not only those that name it.
    pub(super) fn is_general(&self) -> bool {
        self.origin != Origin::Preferred
    }

    pub(super) fn enter(&self, state: RelayState) {
        self.tap.health.enter(state, self.shared.clock.now());
    }

    /// Whether it is one of the relays that make the service ready.
    pub(super) fn makes_ready(&self) -> bool {
        self.is_ready() && self.is_a_way_in()
    }

    /// Whether logins go over it. No login URL names a relay that is only read, one that is only written to
    /// delivers no answer, and a preferred one serves only its user's logins: none of them makes the service
    /// ready.
    pub(super) fn is_a_way_in(&self) -> bool {
        self.spec.read && self.spec.write && self.is_general()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.tap.health.status().state == RelayState::Ready
    }

    /// A publication named this relay.
    pub(super) fn touch(&self) {
        self.last_used.fetch_max(self.shared.clock.now().millis(), Ordering::Relaxed);
    }

    pub(super) fn last_used(&self) -> Timestamp {
        Timestamp::from_millis(self.last_used.load(Ordering::Relaxed))
    }

    pub(super) fn health(&self) -> RelayHealth {
        let status = self.tap.health.status();
        RelayHealth {
            url: self.spec.url.clone(),
            origin: self.origin,
            read: self.spec.read,
            write: self.spec.write,
            state: status.state,
            ready_since: (status.state == RelayState::Ready).then_some(status.since),
            latency: status.latency,
            last_error: status.last_error,
            last_notice: status.last_notice,
            last_refusal: status.last_refusal,
            counters: self.tap.health.tally.read(),
            queued: self.tap.events.len(),
        }
    }

    fn outgoing(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Vec<String>>>> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_lane<T>(&self, act: impl FnOnce(&mut Lane) -> T) -> Option<T> {
        self.lane().as_mut().map(act)
    }

    fn lane(&self) -> std::sync::MutexGuard<'_, Option<Lane>> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves at that moment; without one, never.
pub(super) async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
