//! The operator's relays: those of `relays.toml`, and changes at run time, which are stored and take
//! precedence.
//!
//! A change is stored only while it differs from the file: once the file says the same, the file decides
//! again.

mod error;
mod probe;
mod reading;
mod report;

use std::sync::Arc;

use nostr_sdk::RelayUrl;
use serde_json::json;
use tokio::sync::Mutex;

pub use error::{Result, RosterError};
pub use report::RelayReport;

use crate::actor::Actor;
use crate::clock::{SharedClock, Timestamp};
use crate::config::{self, RelayEntry};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::relay::{Origin, RelayChanges, RelayHealth, RelaySpec, Relays, is_plain};
use crate::shown;
use crate::store::{AuditDraft, AuditKind, OperatorRelays, RelayChange, Store, StoreError};
use probe::Probe;

/// The warning if no relay takes part in logins.
pub const NOBODY_CAN_LOG_IN: &str = "no relay is both read and written: logins are impossible";

/// What the roster needs.
#[derive(Debug)]
pub struct Parts {
    /// The relays of `relays.toml`.
    pub listed: Vec<RelayEntry>,
    /// The largest number of the operator's relays.
    pub max_relays: usize,
    /// Stores the changes at run time.
    pub store: Arc<dyn Store>,
    /// The connections to the relays.
    pub relays: Relays,
    /// What time it is.
    pub clock: SharedClock,
    /// Runs changes to their end.
    pub lifecycle: Lifecycle,
    /// Counts reached bounds.
    pub metrics: Arc<Metrics>,
}

/// The operator's relays.
#[derive(Debug)]
pub struct Roster {
    /// The relays of `relays.toml`. Held while the set of relays changes, so that the stored and the
    /// connected relays stay the same.
    listed: Mutex<Vec<RelayEntry>>,
    max_relays: usize,
    store: Arc<dyn Store>,
    relays: Relays,
    clock: SharedClock,
    lifecycle: Lifecycle,
    metrics: Arc<Metrics>,
    probe: Probe,
}

impl Roster {
    /// The roster of the relays that are in use already. Warns if no relay is both read and written.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { listed, max_relays, store, relays, clock, lifecycle, metrics } = parts;
        advise(&listed);
        let (listed, probe) = (Mutex::new(listed), Probe::default());
        let roster = Self { listed, max_relays, store, relays, clock, lifecycle, metrics, probe };
        roster.warn_if_nobody_can_log_in();
        Arc::new(roster)
    }

    /// How many relays are ready, if a login is possible now: it needs a ready relay and a writable store.
    pub async fn readiness(&self) -> Result<usize> {
        self.probe.check(self.store.clone()).await?;
        match self.ready() {
            0 => Err(RosterError::NoRelay),
            ready => Ok(ready),
        }
    }

    /// How many relays of the operator are ready for logins.
    pub fn ready(&self) -> usize {
        self.relays.list().iter().filter(|relay| relay.is_ready_for_logins()).count()
    }

    /// The relays of the operator that are ready, as in handshake URLs.
    pub fn ready_urls(&self) -> Vec<String> {
        let ready = self.own_relays().filter(RelayHealth::is_ready_for_logins);
        ready.map(|relay| relay.url.to_string()).collect()
    }

    /// All relays and their state; relays that are listed but removed come last.
    pub async fn reports(&self) -> Vec<RelayReport> {
        let listed = self.listed.lock().await;
        let is_listed = |url: &RelayUrl| find(&listed, url).is_some();
        let own: Vec<RelayUrl> = self.own_relays().map(|relay| relay.url).collect();
        let there = self.relays.list().into_iter().map(|relay| {
            let listed = is_listed(&relay.url);
            RelayReport::of(relay, listed)
        });
        let removed = listed.iter().filter(|entry| !own.contains(&entry.url));
        there.chain(removed.map(|entry| RelayReport::removed(&entry.url))).collect()
    }

    /// Applies the operator's list of relays, except where a change at run time takes precedence. Open logins
    /// continue; a relay with the same entry as before stays connected.
    pub async fn reload(&self, list: Vec<RelayEntry>) -> Result<RelayChanges> {
        let mut listed = self.listed.lock().await;
        let changes = self.relays.configure(operator_relays(&list, &*self.store).await?).await?;
        self.warn_if_nobody_can_log_in();
        advise(&list);
        *listed = list;
        Ok(changes)
    }

    /// Adds a relay, now and after every restart, also one of `relays.toml` that was removed. Returns the
    /// form of its URL that Portico uses from now on.
    pub async fn add(self: &Arc<Self>, url: &str, actor: Actor) -> Result<RelayUrl> {
        let url = parse(url)?;
        let roster = Arc::clone(self);
        self.to_the_end(async move { roster.add_now(url, &actor).await }).await
    }

    /// Removes a relay, now and after every restart, unless a wallet named it. `url` may be the shown form of
    /// its URL.
    pub async fn remove(self: &Arc<Self>, url: &str, actor: Actor) -> Result<RelayUrl> {
        let url = parse(url)?;
        let roster = Arc::clone(self);
        self.to_the_end(async move { roster.remove_now(url, &actor).await }).await
    }

    /// Runs a change to its end, even if the caller goes away.
    async fn to_the_end<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.lifecycle.to_the_end(change).await.unwrap_or(Err(RosterError::Stopping))
    }

    async fn add_now(&self, url: RelayUrl, actor: &Actor) -> Result<RelayUrl> {
        let listed = self.listed.lock().await;
        if self.own_relays().any(|relay| relay.url == url) {
            return Ok(url);
        }
        if self.own_relays().count() >= self.max_relays {
            return Err(RosterError::TooMany);
        }
        let (entry, now) = (find(&listed, &url), self.clock.now());
        let record = record_of(AuditKind::RelayAdded, &url, actor, now);
        match entry {
            Some(_) => self.store.forget_relay_change(url.as_str(), Some(&record)).await?,
            None => self.store.change_relay(url.as_str(), RelayChange::Added, now, &record).await?,
        }
        self.relays.add(entry.map_or_else(|| RelaySpec::read_write(url.clone()), spec)).await?;
        tracing::info!(relay = %shown::relay(&url), by = %actor, "relay added");
        Ok(url)
    }

    async fn remove_now(&self, named: RelayUrl, actor: &Actor) -> Result<RelayUrl> {
        let listed = self.listed.lock().await;
        let known: Vec<_> =
            listed.iter().map(|entry| entry.url.clone()).chain(self.own_relays().map(|it| it.url)).collect();
        let is_shown = |url: &&RelayUrl| shown::relay(url) == named.to_string();
        let url = known.iter().find(|url| **url == named).or_else(|| known.iter().find(is_shown));
        let url = url.unwrap_or(&named).clone();
        let now = self.clock.now();
        let record = record_of(AuditKind::RelayRemoved, &url, actor, now);
        if find(&listed, &url).is_some() {
            self.store.change_relay(url.as_str(), RelayChange::Removed, now, &record).await?;
        } else if self.own_relays().any(|relay| relay.url == url) {
            self.store.forget_relay_change(url.as_str(), Some(&record)).await?;
        } else {
            return Err(RosterError::NoSuchRelay(url));
        }
        self.relays.remove(&url).await?;
        tracing::info!(relay = %shown::relay(&url), by = %actor, "relay removed");
        self.warn_if_nobody_can_log_in();
        // Who named it as it is shown need not know more.
        Ok(named)
    }

    fn warn_if_nobody_can_log_in(&self) {
        if self.relays.urls_for_handshake().is_empty() {
            tracing::warn!("{NOBODY_CAN_LOG_IN}");
        }
    }

    /// The operator's relays that are in use.
    fn own_relays(&self) -> impl Iterator<Item = RelayHealth> {
        self.relays.list().into_iter().filter(|relay| relay.origin == Origin::Operator)
    }
}

/// Warns of relays over which Portal's app logs in slowly or not at all.
fn advise(listed: &[RelayEntry]) {
    if let Some(advice) = config::relay_advice(listed) {
        tracing::warn!("{advice}");
    }
}

/// The operator's list of relays with the changes at run time, which take precedence over the list. Changes
/// that the list already contains are deleted.
///
/// # Errors
/// The store could not be read.
pub async fn operator_relays(
    listed: &[RelayEntry],
    store: &dyn OperatorRelays,
) -> Result<Vec<RelaySpec>, StoreError> {
    let mut relays: Vec<RelaySpec> = listed.iter().map(spec).collect();
    for (name, change) in store.relay_changes().await? {
        let Some(url) = RelayUrl::parse(&name).ok().filter(is_plain) else {
            tracing::warn!(relay = %shown::refused(&name), "relay not used: a relay URL must not contain a user or a password");
            continue;
        };
        match (change, find(listed, &url)) {
            (RelayChange::Added, None) => {
                tracing::info!(relay = %shown::relay(&url), "relay used in addition to relays.toml: it was added at run time");
                relays.push(RelaySpec::read_write(url));
            }
            (RelayChange::Removed, Some(_)) => {
                tracing::warn!(
                    relay = %shown::relay(&url),
                    "relay not used, although relays.toml lists it: it was removed at run time \
                     (`portico relays add` with its URL adds it again)"
                );
                relays.retain(|relay| relay.url != url);
            }
            // It does no harm if the store cannot be written: the next start or reload tries again.
            (RelayChange::Added, Some(_)) | (RelayChange::Removed, None) => {
                if let Err(error) = store.forget_relay_change(&name, None).await {
                    tracing::warn!(relay = %shown::relay(&url), %error, "cannot delete an outdated change of a relay now");
                }
            }
        }
    }
    Ok(relays)
}

fn find<'a>(listed: &'a [RelayEntry], url: &RelayUrl) -> Option<&'a RelayEntry> {
    listed.iter().find(|entry| entry.url == *url)
}

fn spec(entry: &RelayEntry) -> RelaySpec {
    RelaySpec { url: entry.url.clone(), read: entry.read, write: entry.write }
}

/// The audit record of a change. A URL can contain a secret, so the record has the form that is shown.
fn record_of(kind: AuditKind, url: &RelayUrl, actor: &Actor, now: Timestamp) -> AuditDraft {
    actor.did(kind, now).with(&json!({ "relay": shown::relay(url) }))
}

fn parse(text: &str) -> Result<RelayUrl> {
    /// No real relay has a longer URL.
    const MAX_URL: usize = 256;

    let refused = |reason: String| RosterError::BadRequest(format!("relay: {reason}"));
    if text.len() > MAX_URL {
        return Err(refused(format!("a relay URL must be at most {MAX_URL} bytes long")));
    }
    let url = config::relay_url(text).map_err(|error| refused(error.to_string()))?;
    // Spelled in one way, under which a change is kept and found: with and without a slash behind the host it
    // is one relay.
    let bare = RelayUrl::parse(url.as_str_without_trailing_slash());
    Ok(bare.ok().filter(|bare| *bare == url).unwrap_or(url))
}
