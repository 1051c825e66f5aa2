//! Whether the store can be written, for `/ready`: it is asked at most once a second, however often callers ask.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Result;
use crate::store::{Store, StoreError};

/// How old an answer of the store's may be.
const FRESH: Duration = Duration::from_secs(1);

/// The store's last answer.
#[derive(Debug, Default)]
pub(super) struct Probe(Arc<Mutex<Option<Verdict>>>);

#[derive(Debug, Clone)]
struct Verdict {
    asked_at: Instant,
    trouble: Option<StoreError>,
}

impl Probe {
    /// The last answer if it is fresh, else a new one. All who wait share it.
    pub(super) async fn check(&self, store: &Arc<dyn Store>) -> Result<()> {
        let came_at = Instant::now();
        let mut last = Arc::clone(&self.0).lock_owned().await;
        let verdict = match &*last {
            // An answer that took long serves all who came while it was waited for.
            Some(verdict) if came_at.saturating_duration_since(verdict.asked_at) < FRESH => verdict.clone(),
            _ => {
                let store = Arc::clone(store);
                // A task of its own: callers who hang up must not make the store be asked again.
                let asking = tokio::spawn(async move {
                    let asked_at = Instant::now();
                    let verdict = Verdict { asked_at, trouble: store.check().await.err() };
                    *last = Some(verdict.clone());
                    verdict
                });
                asking.await.map_err(|_| StoreError::Unavailable("it was not asked to the end".into()))?
            }
        };
        verdict.trouble.map_or(Ok(()), |trouble| Err(trouble.into()))
    }
}
