//! The set of relays: adds and removes them, and decides how long relays that wallets named stay connected.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use nostr_sdk::prelude::RelayUrl;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::error::RelayError;
use super::health::{Count, Counters, Health, Origin, RelayState};
use super::inbound;
use super::link::{Link, Shared};
use super::options::{RelayChanges, RelaySpec};
use super::preferred;
use super::tap::{Tap, Whose};
use crate::shown;

/// How often Portico looks for expired relays and publications.
const SWEEP: Duration = Duration::from_secs(5);

/// A preferred relay that has had no connection for this long is dropped; a publication may bring it back.
const PATIENCE: Duration = Duration::from_secs(60);

/// A preferred relay that was not used for this long is dropped.
const IDLE: Duration = Duration::from_secs(1800);

/// More workers than this do not help one relay, and may slow down others.
const MAX_WORKERS: usize = 4;

/// All relays, in the order they were added.
pub(super) struct Fleet {
    pub(super) shared: Arc<Shared>,
    links: RwLock<Vec<Arc<Link>>>,
    /// Counters of wallets' relays that were dropped.
    gone: Mutex<Counters>,
    /// How many wallets' relays were dropped to make room for others.
    displaced: Count,
    /// One change at a time.
    changes: tokio::sync::Mutex<()>,
    workers: usize,
}

impl Fleet {
    pub(super) fn new(shared: Arc<Shared>, cores: usize) -> Self {
        Self {
            shared,
            links: RwLock::default(),
            gone: Mutex::default(),
            displaced: Count::default(),
            changes: tokio::sync::Mutex::default(),
            workers: cores.min(MAX_WORKERS),
        }
    }

    /// All relays and their state now.
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.links.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counters of all relays that wallets named, including dropped ones, and how many were dropped to make
    /// room for others.
    pub(super) fn preferred_in_all(&self) -> (Counters, u64) {
        let mut sum = *self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        self.links().iter().filter(|link| !link.is_general()).for_each(|link| sum += link.health().counters);
        (sum, self.displaced.get())
    }

    pub(super) fn link(&self, url: &RelayUrl) -> Option<Arc<Link>> {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        links.iter().find(|link| link.spec.url == *url).cloned()
    }

    /// Adds a relay of the operator. If a wallet named it before, it becomes the operator's. Returns `false`
    /// if it was there already.
    pub(super) async fn add(&self, spec: RelaySpec) -> Result<bool, RelayError> {
        let _changing = self.changes.lock().await;
        match self.link(&spec.url) {
            _ if self.shared.tasks.is_stopped() => return Err(RelayError::Stopped),
            Some(link) if link.is_general() => return Ok(false),
            Some(link) => self.drop_link(&link).await,
            None => {}
        }
        self.start_link(spec, Origin::Operator).map(|()| true)
    }

    /// Removes a relay of the operator. Returns `false` if there was no such relay.
    pub(super) async fn remove(&self, url: &RelayUrl) -> Result<bool, RelayError> {
        let _changing = self.changes.lock().await;
        if self.shared.tasks.is_stopped() {
            return Err(RelayError::Stopped);
        }
        match self.link(url).filter(|link| link.is_general()) {
            None => Ok(false),
            Some(link) => {
                self.drop_link(&link).await;
                Ok(true)
            }
        }
    }

    /// Replaces the list of the operator's relays, in this order. A relay with the same entry as before stays
    /// connected.
    pub(super) async fn configure(&self, list: Vec<RelaySpec>) -> Result<RelayChanges, RelayError> {
        let _changing = self.changes.lock().await;
        if self.shared.tasks.is_stopped() {
            return Err(RelayError::Stopped);
        }
        let mut changes = RelayChanges::default();
        for link in self.links().iter().filter(|link| link.is_general()) {
            if list.iter().all(|spec| spec.url != link.spec.url) {
                self.drop_link(link).await;
                changes.removed.push(link.spec.url.clone());
            }
        }
        for spec in &list {
            let before = self.link(&spec.url);
            match &before {
                Some(link) if link.is_general() && link.spec == *spec => continue,
                Some(link) => self.drop_link(link).await,
                None => {}
            }
            let known = before.is_some_and(|link| link.is_general());
            let changed = if known { &mut changes.changed } else { &mut changes.added };
            changed.push(spec.url.clone());
            self.start_link(spec.clone(), Origin::Operator)?;
        }
        // Wallets are told the relays in this order; strangers' come last.
        let place = |link: &Arc<Link>| list.iter().position(|spec| spec.url == link.spec.url);
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        links.sort_by_key(|link| place(link).unwrap_or(usize::MAX));
        Ok(changes)
    }

    /// Close all connections and end all tasks.
    pub(super) async fn shutdown(&self) {
        self.shared.tasks.stop();
        // A change that is under way may still start tasks.
        drop(self.changes.lock().await);
        self.shared.tasks.ended().await;
    }

    /// Looks after preferred relays and expired publications until the daemon stops.
    pub(super) async fn keep_house(self: Arc<Self>, mut wanted: mpsc::Receiver<RelayUrl>) {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                url = wanted.recv() => match url {
                    Some(url) => self.welcome(url).await,
                    // The last handle is gone.
                    None => return self.shared.tasks.stop(),
                },
                _ = sweep.tick() => {
                    self.shared.outbox.sweep(self.shared.clock.now());
                    self.drop_useless().await;
                }
            }
        }
    }

    /// Connects to a relay that a wallet named. If there are too many, the least recently used one is
    /// dropped.
    async fn welcome(&self, url: RelayUrl) {
        let options = &self.shared.options;
        let _changing = self.changes.lock().await;
        if self.link(&url).is_some() || !preferred::is_acceptable(&url, options.allow_private) {
            return;
        }
        let preferred: Vec<_> = self.links().into_iter().filter(|link| !link.is_general()).collect();
        if preferred.len() >= options.max_preferred {
            match preferred.iter().min_by_key(|link| link.last_used()) {
                Some(oldest) => {
                    self.displaced.up();
                    self.drop_link(oldest).await;
                }
                None => return,
            }
        }
        // The only error is that everything stops.
        let _ = self.start_link(RelaySpec::read_write(url), Origin::Preferred);
    }

    async fn drop_useless(&self) {
        let _changing = self.changes.lock().await;
        let now = self.shared.clock.now();
        for link in self.links().iter().filter(|link| !link.is_general()) {
            let status = link.tap.health.status();
            let unreachable = status.state == RelayState::Connecting && now.since(status.since) >= PATIENCE;
            if unreachable || now.since(link.last_used()) >= IDLE {
                tracing::debug!(relay = %shown::relay(&link.spec.url), "dropping a preferred relay");
                self.drop_link(link).await;
            }
        }
    }

    fn start_link(&self, spec: RelaySpec, origin: Origin) -> Result<(), RelayError> {
        let shared = &self.shared;
        if shared.tasks.is_stopped() {
            return Err(RelayError::Stopped);
        }
        let public_only = origin == Origin::Preferred && !shared.options.allow_private;
        let health = Health::new(shared.clock.now());
        let whose = Whose { url: spec.url.clone(), origin, public_only };
        let inbound = Arc::clone(&shared.inbound);
        let tap = Tap::new(whose, inbound, health, shared.options.queue_per_relay);
        let link = Link::new(spec, origin, Arc::clone(&tap), Arc::clone(shared));
        shared.inbound.shares.joined(origin);
        let workers = if link.is_general() { self.workers } else { 1 };
        for _ in 0..workers {
            let work = inbound::work(Arc::clone(&shared.inbound), Arc::clone(&tap), shared.handling.clone());
            shared.tasks.spawn(link.stop.clone(), work);
        }
        self.links.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&link));
        link.start();
        Ok(())
    }

    async fn drop_link(&self, link: &Arc<Link>) {
        self.links.write().unwrap_or_else(PoisonError::into_inner).retain(|other| !Arc::ptr_eq(other, link));
        link.end();
        self.shared.inbound.shares.left(link.origin);
        if !link.is_general() {
            *self.gone.lock().unwrap_or_else(PoisonError::into_inner) += link.health().counters;
        }
        // The relay sees one connection of ours at a time, even if it is added again at once.
        link.gone().await;
    }
}
