//! The handle that the rest of the daemon holds.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use nostr_sdk::prelude::{Event, EventId, PublicKey, RelayUrl};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

use super::ask::Outcome;
use super::cpu;
use super::error::RelayError;
use super::fleet::Fleet;
use super::handling::Handling;
use super::health::{Counters, RelayHealth};
use super::inbound::Inbound;
use super::link::Shared;
use super::options::{RelayChanges, RelayOptions, RelaySpec};
use super::outbox::{Outbox, Publication};
use super::preferred;
use super::readiness::Readiness;
use super::signal::{Gate, Handler};
use super::tasks::Tasks;
use crate::clock::{SharedClock, Timestamp};

/// How many profiles are fetched at the same time. With our subscription this stays under 20 subscriptions
/// per connection, the lowest limit of real relays.
const MAX_FETCHES: usize = 16;

/// How many relays a login URL names. Portal's wallet scans no URL with more than this number of relays that are new to
/// it, and a longer URL makes a QR code that is harder to scan.
const MAX_NAMED: usize = 5;

/// How many preferred relays may wait to be connected before more are ignored. They are hints.
const MAX_WANTED: usize = 1024;

/// The relays: a cheap handle; all clones share the same state.
#[derive(Clone)]
pub struct Relays {
    pub(super) fleet: Arc<Fleet>,
    wanted: mpsc::Sender<RelayUrl>,
    pub(super) fetches: Arc<Semaphore>,
}

impl Relays {
    /// Starts to connect to the relays of `options`, without waiting for any. Portico asks `gate` about every
    /// event before it does anything expensive with it.
    ///
    /// Events wait in the queues of their relays until [`Relays::handle_with`] sets their handler.
    pub async fn start(options: RelayOptions, gate: Arc<dyn Gate>, clock: SharedClock) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (wanted, wishes) = mpsc::channel(MAX_WANTED);
        let relays = options.relays.clone();
        let shared = Arc::new(Shared {
            inbound: Arc::new(Inbound::new(&options, gate, cores)),
            options,
            readiness: Readiness::new(Arc::clone(&clock)),
            clock,
            outbox: Outbox::default(),
            handling: Handling::default(),
            tasks: Tasks::default(),
        });
        let fleet = Arc::new(Fleet::new(Arc::clone(&shared), cores));
        shared.tasks.spawn(shared.tasks.child(), Arc::clone(&fleet).keep_house(wishes));
        for spec in relays {
            // It cannot have stopped yet, and a relay that is listed twice is one relay.
            let _ = fleet.add(spec).await;
        }
        Self { fleet, wanted, fetches: Arc::new(Semaphore::new(MAX_FETCHES)) }
    }

    /// Sets the handler of all signals. Only the first call has an effect.
    pub fn handle_with(&self, handler: Arc<dyn Handler>) {
        self.fleet.shared.handling.set(handler);
    }

    /// Resolves after [`Relays::shutdown`]. If it resolves earlier, an internal task has failed, and the daemon
    /// should stop.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        self.fleet.shared.tasks.child().cancelled_owned()
    }

    /// Publishes an event until it is withdrawn or expires: at once to all its relays that are ready, to
    /// others when they become ready, to those that reconnect, and to all with a back-off of 2, 4, 8, … 60
    /// seconds. Does not wait. Publishing the same event again replaces its publication.
    pub fn publish(&self, publication: Publication) {
        let options = &self.fleet.shared.options;
        let also: Vec<_> = publication.also.iter().take(options.max_preferred_per_user).cloned().collect();
        let open = self.fleet.shared.outbox.insert(Publication { also: also.clone(), ..publication });
        for link in self.fleet.links() {
            link.offer(&open);
        }
        for url in also {
            match self.fleet.link(&url) {
                Some(link) => link.touch(),
                // Full: hints of strangers are not worth waiting for.
                None => drop(self.wanted.try_send(url)),
            }
        }
    }

    /// An event of this author was useful: it is not charged.
    pub fn was_of_use(&self, author: &PublicKey) {
        self.fleet.shared.inbound.senders.give_back(author);
    }

    /// Does the work for an event of this author, charged to the time that strangers may use.
    pub fn at_the_expense_of<T>(&self, author: &PublicKey, work: impl FnOnce() -> T) -> T {
        let (result, cost) = cpu::measured(work);
        self.fleet.shared.inbound.senders.spent_on(author, cost, Instant::now());
        result
    }

    /// Stop publishing an event.
    pub fn withdraw(&self, id: &EventId) {
        self.fleet.shared.outbox.withdraw(id);
    }

    /// Adds a relay at run time; open publications go there, too. Returns `false` if it was there already.
    ///
    /// # Errors
    /// [`RelayError::Stopped`] after [`Relays::shutdown`].
    pub async fn add(&self, spec: RelaySpec) -> Result<bool, RelayError> {
        self.fleet.add(spec).await
    }

    /// Removes a relay, unless a wallet named it. Returns `false` if there was no such relay.
    ///
    /// # Errors
    /// [`RelayError::Stopped`] after [`Relays::shutdown`].
    pub async fn remove(&self, url: &RelayUrl) -> Result<bool, RelayError> {
        self.fleet.remove(url).await
    }

    /// Replaces the list of the operator's relays, in this order; open publications go to new ones, too.
    /// Relays with the same entry as before stay connected, and so do relays named by wallets.
    ///
    /// # Errors
    /// [`RelayError::Stopped`] after [`Relays::shutdown`].
    pub async fn configure(&self, list: Vec<RelaySpec>) -> Result<RelayChanges, RelayError> {
        self.fleet.configure(list).await
    }

    /// The relays that Portico names to a wallet: those of the operator that it both reads and writes, the ready
    /// ones first, otherwise in order. At most `MAX_NAMED`.
    pub fn urls_for_handshake(&self) -> Vec<RelayUrl> {
        let links = self.fleet.links();
        let mut fit: Vec<_> =
            links.iter().filter(|link| link.is_general() && link.spec.read && link.spec.write).collect();
        if fit.len() > MAX_NAMED {
            fit.sort_by_key(|link| !link.is_ready());
            fit.truncate(MAX_NAMED);
        }
        fit.into_iter().map(|link| link.spec.url.clone()).collect()
    }

    /// All relays and their state, in the order in which they were added.
    pub fn list(&self) -> Vec<RelayHealth> {
        self.fleet.links().iter().map(|link| link.health()).collect()
    }

    /// Counters of all relays that wallets named, including dropped ones, and how many were dropped to make
    /// room for others.
    pub fn preferred_in_all(&self) -> (Counters, u64) {
        self.fleet.preferred_in_all()
    }

    /// How many events are verified and not yet handled.
    pub fn waiting(&self) -> usize {
        self.fleet.shared.inbound.senders.on_the_way()
    }

    /// How many events are being published.
    pub fn publications(&self) -> usize {
        self.fleet.shared.outbox.len()
    }

    /// Whether at least one relay of the operator was ready, so that a login was possible, at any moment from
    /// `moment` to now.
    pub fn any_ready_since(&self, moment: Timestamp) -> bool {
        self.fleet.shared.readiness.any_since(moment)
    }

    /// Resolves when at least one relay of the operator is ready.
    pub async fn ready(&self) {
        self.fleet.shared.readiness.any().await;
    }

    /// The relays that may be used, of those that a wallet prefers: valid, `wss`, not at a literal private
    /// address, each once, no more than allowed per user. Addresses behind names are checked when Portico
    /// connects.
    pub fn filter_preferred(&self, urls: &[String]) -> Vec<RelayUrl> {
        let options = &self.fleet.shared.options;
        preferred::acceptable(urls, options.allow_private, options.max_preferred_per_user)
    }

    /// The newest verified profile (kind 0) of `key` that any ready relay has. Portico asks all at once and
    /// uses the answers that arrive within `timeout`.
    pub async fn fetch_metadata(&self, key: &PublicKey, timeout: Duration) -> Option<Event> {
        let deadline = Instant::now() + timeout;
        // The semaphore is never closed.
        let _permit = timeout_at(deadline, self.fetches.acquire()).await.ok()?.ok()?;
        let links = self.fleet.links();
        let ready = links.iter().filter(|link| link.spec.read && link.is_ready());
        let mut answers: FuturesUnordered<_> =
            ready.map(|link| timeout_at(deadline, link.ask_metadata(key))).collect();
        let mut newest: Option<Event> = None;
        while let Some(answer) = answers.next().await {
            let candidate = answer.ok().flatten();
            newest = candidate.into_iter().chain(newest).max_by_key(|event| event.created_at);
        }
        newest
    }

    /// Publishes an event once to all relays of the operator that Portico writes to, and returns the answer
    /// of each within `timeout`.
    pub async fn publish_once(&self, event: &Event, timeout: Duration) -> Vec<(RelayUrl, Outcome)> {
        let deadline = Instant::now() + timeout;
        let links = self.fleet.links();
        let fit = links.iter().filter(|link| link.is_general() && link.spec.write);
        join_all(fit.map(|link| async move {
            let outcome = timeout_at(deadline, link.ask_to_store(event)).await;
            (link.spec.url.clone(), outcome.unwrap_or(Outcome::NoAnswer))
        }))
        .await
    }

    /// Close all connections and end all tasks.
    pub async fn shutdown(&self) {
        self.fleet.shutdown().await;
    }
}

impl std::fmt::Debug for Relays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let urls: HashSet<_> = self.fleet.links().iter().map(|link| link.spec.url.clone()).collect();
        f.debug_struct("Relays").field("urls", &urls).finish_non_exhaustive()
    }
}
