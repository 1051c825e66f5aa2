//! One API token in memory.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::written;
use crate::clock::{SharedClock, Timestamp};
use crate::rights::Rights;
use crate::store::{ApiTokenId, StoredApiToken};

/// How many changes the holder of one token can make in [`CHANGES_WINDOW`].
const MAX_CHANGES: u64 = 1_000;

/// See [`MAX_CHANGES`].
const CHANGES_WINDOW: Duration = Duration::from_secs(600);

/// The longest sleep before the expiry is checked again, because somebody can set the clock in the meantime.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A token. Requests and connections of its holder share it.
pub struct HeldToken {
    id: ApiTokenId,
    name: String,
    label: Arc<str>,
    secret_hash: [u8; 32],
    rights: Rights,
    expires_at: Option<Timestamp>,
    /// The last use, in milliseconds; 0: not used since the daemon started.
    used_at: AtomicU64,
    /// The `used_at` that is in the store.
    written_at: AtomicU64,
    changes: Mutex<Changes>,
    revoked: CancellationToken,
    clock: SharedClock,
}

/// The changes that its holder made in the present window of time.
#[derive(Debug, Default)]
struct Changes {
    since: Option<Instant>,
    count: u64,
}

impl Changes {
    /// Counts one more at `now`. Else returns how long until there is room again.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let since = self.since.filter(|since| now.duration_since(*since) < CHANGES_WINDOW);
        if since.is_none() {
            *self = Self { since: Some(now), count: 0 };
        }
        if self.count >= MAX_CHANGES {
            let begun = since.unwrap_or(now);
            return Err(CHANGES_WINDOW.saturating_sub(now.duration_since(begun)));
        }
        self.count += 1;
        Ok(())
    }
}

/// Leaves out the hash, which must not reach a log.
impl fmt::Debug for HeldToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("HeldToken");
        shown.field("label", &self.label).field("rights", &self.rights).finish_non_exhaustive()
    }
}

impl HeldToken {
    pub(super) fn new(token: &StoredApiToken, clock: &SharedClock) -> Arc<Self> {
        Arc::new(Self {
            id: token.id,
            name: token.name.clone(),
            label: format!("token:{}#{}", token.name, hex::encode(token.id)).into(),
            secret_hash: token.secret_hash,
            rights: token.rights,
            expires_at: token.expires_at,
            used_at: AtomicU64::new(0),
            written_at: AtomicU64::new(0),
            changes: Mutex::default(),
            revoked: CancellationToken::new(),
            clock: Arc::clone(clock),
        })
    }

    /// `token:`, its name, `#` and its public part: the name of its holder in the audit and the log. A later token can
    /// have the same name, and never the same public part.
    pub fn label(&self) -> Arc<str> {
        Arc::clone(&self.label)
    }

    /// The rights of its holder.
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// When it expires.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Whether it was revoked or has expired.
    pub fn is_over(&self) -> bool {
        self.revoked.is_cancelled() || self.expires_at.is_some_and(|at| self.clock.now() >= at)
    }

    /// Waits until it is revoked or has expired.
    pub async fn over(&self) {
        while !self.is_over() {
            let left = self.expires_at.map(|at| at.since(self.clock.now()).min(LONGEST_SLEEP));
            tokio::select! {
                () = self.revoked.cancelled() => {}
                () = async {
                    match left {
                        Some(left) => tokio::time::sleep(left).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    /// Its holder changes something now. Each change is a record in the audit, which must not grow without bound.
    ///
    /// # Errors
    /// It made `MAX_CHANGES` changes in this time: how long to wait.
    pub fn take_change(&self) -> Result<(), Duration> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }

    /// Notes that its holder uses it now.
    pub fn note_use(&self) {
        self.used_at.store(self.clock.now().millis(), Ordering::Relaxed);
    }

    /// Its name, without its id.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn id(&self) -> ApiTokenId {
        self.id
    }

    pub(super) fn has_secret(&self, secret: &str) -> bool {
        written::is_secret(secret, &self.secret_hash)
    }

    pub(super) fn revoke(&self) {
        self.revoked.cancel();
    }

    /// When it was last used, if it was used since the daemon started.
    pub(super) fn used_at(&self) -> Option<Timestamp> {
        let millis = self.used_at.load(Ordering::Relaxed);
        (millis > 0).then(|| Timestamp::from_millis(millis))
    }

    /// When it was last used, if the store does not have this time yet.
    pub(super) fn unwritten_use(&self) -> Option<Timestamp> {
        self.used_at().filter(|at| at.millis() != self.written_at.load(Ordering::Relaxed))
    }

    pub(super) fn use_is_written(&self, at: Timestamp) {
        self.written_at.store(at.millis(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_token_makes_only_so_many_changes_in_a_time_and_then_hears_how_long_to_wait() {
        let (mut changes, start) = (Changes::default(), Instant::now());
        for _ in 0..MAX_CHANGES {
            assert_eq!(changes.take(start), Ok(()));
        }
        let later = start + Duration::from_secs(200);
        assert_eq!(changes.take(later), Err(Duration::from_secs(400)));
        assert_eq!(changes.take(start + CHANGES_WINDOW), Ok(()));
    }
}
