//! Whether the store can be read and written, for `/ready`: checked at most once a second, however often callers ask.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::store::{Result, StoreError, Upkeep};

/// How old an answer of the store may be. Each answer costs a write to the disk.
const FRESH: Duration = Duration::from_secs(1);

/// … and how old a failure may be: it cost no write, and callers wait for the end of the failure.
const FRESH_FAILURE: Duration = Duration::from_millis(100);

/// A store that takes longer to answer is not ready: callers have given up by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// The store's last answer.
#[derive(Debug, Default)]
pub(super) struct Probe(Arc<Mutex<Option<Verdict>>>);

#[derive(Debug, Clone)]
struct Verdict {
    asked_at: Instant,
    trouble: Option<StoreError>,
}

impl Verdict {
    /// Whether it is new enough for a caller that came at this time.
    fn serves(&self, came_at: Instant) -> bool {
        let fresh = if self.trouble.is_some() { FRESH_FAILURE } else { FRESH };
        came_at.saturating_duration_since(self.asked_at) < fresh
    }
}

impl Probe {
    /// The last answer if it is fresh, else a new one. All waiting callers share it.
    pub(super) async fn check(&self, store: Arc<dyn Upkeep>) -> Result<()> {
        let came_at = Instant::now();
        let mut last = Arc::clone(&self.0).lock_owned().await;
        let verdict = match &*last {
            // An answer that took long serves all who came while it was waited for.
            Some(verdict) if verdict.serves(came_at) => verdict.clone(),
            _ => {
                // A task of its own: callers who hang up must not make the store be asked again.
                let asking = tokio::spawn(async move {
                    let asked_at = Instant::now();
                    let verdict = Verdict { asked_at, trouble: in_time(store.check()).await.err() };
                    *last = Some(verdict.clone());
                    verdict
                });
                asking
                    .await
                    .map_err(|_| StoreError::Unavailable("the check of the store was abandoned".into()))?
            }
        };
        verdict.trouble.map_or(Ok(()), Err)
    }
}

async fn in_time(answer: impl Future<Output = Result<()>>) -> Result<()> {
    let late = || StoreError::Unavailable(format!("the store did not answer within {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_in_time_is_not_ready() {
        let late = in_time(std::future::pending()).await.unwrap_err();
        assert!(matches!(&late, StoreError::Unavailable(why) if why.contains("did not answer within 5s")));
        assert_eq!(in_time(async { Ok(()) }).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_serves_for_a_second_and_a_failure_for_a_moment() {
        let asked_at = Instant::now();
        let answer = Verdict { asked_at, trouble: None };
        let failure = Verdict { asked_at, trouble: Some(StoreError::Unavailable("full".into())) };
        for (verdict, after_ms, serves) in [
            (&answer, 0, true),
            (&answer, 999, true),
            (&answer, 1000, false),
            (&failure, 99, true),
            (&failure, 100, false),
        ] {
            let came_at = asked_at + Duration::from_millis(after_ms);
            assert_eq!(verdict.serves(came_at), serves, "{verdict:?} after {after_ms} ms");
        }
        // A caller that came before the question gets the answer, too.
        assert!(answer.serves(asked_at - Duration::from_millis(5)));
    }
}
