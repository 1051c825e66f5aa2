//! Fetches and keeps the keys of an issuer.
//!
//! If keys are missing, or do not contain a `kid`, one fetch starts and every caller that needs it waits for it. Keys
//! that are only due to be fetched again stay in use meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use url::Url;

use super::lifetime::lifetime;
use super::{IssuerKey, KeySet};
use crate::clock::{SharedClock, Timestamp};
use crate::config::{JwtAlgorithm, WebUrl};
use crate::outbound::{Outbound, OutboundError, OutboundRequest};

/// The largest key set, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// How often the issuer is asked at most while there are keys, because anybody can make up a `kid`.
const BETWEEN: Duration = Duration::from_secs(60);

/// … and while there are none. Then nobody can log in.
const BETWEEN_FAILURES: Duration = Duration::from_secs(5);

/// Why no key is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has no such key.
    Unknown,
    /// The issuer cannot be asked.
    Unavailable,
}

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct KeySource {
    provider: &'static str,
    url: Url,
    algorithms: Vec<JwtAlgorithm>,
    max_stale: Duration,
    outbound: Outbound,
    clock: SharedClock,
    known: Mutex<Known>,
    /// Held while the issuer is asked.
    asking: Arc<tokio::sync::Mutex<()>>,
}

/// The state of the keys.
#[derive(Debug, Default)]
struct Known {
    held: Option<Held>,
    /// The issuer is not asked again before this time.
    next: Timestamp,
    /// Whether the last fetch failed.
    failing: bool,
}

#[derive(Debug)]
struct Held {
    keys: KeySet,
    fetched_at: Timestamp,
    fresh_until: Timestamp,
    usable_until: Timestamp,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error(transparent)]
    Body(#[from] super::NotAKeySet),
}

impl KeySource {
    /// Keys of these algorithms, not fetched yet.
    pub(super) fn new(
        provider: &'static str,
        url: &WebUrl,
        algorithms: &[JwtAlgorithm],
        max_stale: Duration,
        outbound: Outbound,
        clock: SharedClock,
    ) -> Self {
        let (url, algorithms) = (url.as_url().clone(), algorithms.to_vec());
        let (known, asking) = (Mutex::default(), Arc::default());
        Self { provider, url, algorithms, max_stale, outbound, clock, known, asking }
    }

    /// The key with this id.
    pub(super) async fn key(self: &Arc<Self>, kid: &str) -> Result<Arc<IssuerKey>, NoKey> {
        let now = self.clock.now();
        let (found, is_fresh) = {
            let known = self.known();
            (known.key(kid, now), known.is_fresh(now))
        };
        let asking = Arc::clone(&self.asking);
        let turn = match found {
            Ok(key) if is_fresh => return Ok(key),
            // One request fetches the keys that are due; the others use the keys that Portico has.
            Ok(key) => match asking.try_lock_owned() {
                Ok(turn) => turn,
                Err(_) => return Ok(key),
            },
            Err(_) => asking.lock_owned().await,
        };
        // The caller before us may have asked for us, too.
        if self.known().begin(kid, self.clock.now()) {
            let source = Arc::clone(self);
            // A task of its own, as the caller may hang up, and others wait.
            let fetch = tokio::spawn(async move {
                source.fetch().await;
                drop(turn);
            });
            let _ = fetch.await;
        }
        self.known().key(kid, self.clock.now())
    }

    async fn fetch(&self) {
        let fetched = self.ask().await;
        let now = self.clock.now();
        let mut known = self.known();
        known.failing = fetched.is_err();
        match fetched {
            Ok((keys, lifetime)) => {
                tracing::debug!(provider = self.provider, keys = keys.len(), "fetched the issuer's keys");
                let fresh_until = now.plus(lifetime);
                known.held = Some(Held {
                    keys,
                    fetched_at: now,
                    fresh_until,
                    usable_until: fresh_until.plus(self.max_stale),
                });
                known.next = now.plus(BETWEEN);
            }
            Err(error) => {
                let usable = known.held.as_ref().is_some_and(|held| now < held.usable_until);
                tracing::warn!(provider = self.provider, %error, usable, "cannot fetch the issuer's keys");
                known.next = now.plus(if usable { BETWEEN } else { BETWEEN_FAILURES });
            }
        }
    }

    async fn ask(&self) -> Result<(KeySet, Duration), FetchError> {
        let answer = self.outbound.send(OutboundRequest::get(self.url.clone()), MAX_BODY).await?;
        if answer.status != StatusCode::OK {
            return Err(FetchError::Status(answer.status));
        }
        Ok((KeySet::parse(&answer.body, &self.algorithms)?, lifetime(&answer.headers)))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn held(&self, now: Timestamp) -> Option<&Held> {
        self.held.as_ref().filter(|held| now < held.usable_until)
    }

    fn key(&self, kid: &str, now: Timestamp) -> Result<Arc<IssuerKey>, NoKey> {
        let found = self.held(now).and_then(|held| held.keys.key(kid));
        // A key may have come while the issuer could not be asked.
        let why = if self.failing || self.held(now).is_none() { NoKey::Unavailable } else { NoKey::Unknown };
        found.ok_or(why)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        // Of keys that were fetched while the clock was ahead, nobody knows how old they are.
        self.held.as_ref().is_some_and(|held| held.fetched_at <= now && now < held.fresh_until)
    }

    /// Whether to ask the issuer now. If so, no other caller asks for a while, even if this caller disconnects.
    fn begin(&mut self, kid: &str, now: Timestamp) -> bool {
        // A clock that was set back must not make it a long wait.
        let waits = now < self.next && self.next.since(now) <= BETWEEN.max(BETWEEN_FAILURES);
        let is_due = !waits && (!self.is_fresh(now) || self.key(kid, now).is_err());
        if is_due {
            self.next = now.plus(BETWEEN);
        }
        is_due
    }
}
