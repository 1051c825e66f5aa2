//! Wallets do not send a message twice, so Portico keeps it until the store can accept the result.

use std::time::Duration;

use super::{PortalError, Result};
use crate::store::{StoreError, StreamId};

/// The first wait before the store is tried again; doubles up to `LONGEST_RETRY`.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Runs `work`, and again while the store is unavailable, with growing waits. `work` must check its
/// conditions again each time, because they may have changed meanwhile. Any other error is returned at once.
pub(super) async fn until_stored<T, F>(stream: StreamId, work: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut wait = FIRST_RETRY;
    loop {
        match work().await {
            Err(PortalError::Store(StoreError::Unavailable(reason))) => {
                tracing::error!(stream_id = %stream, reason, "the store is unavailable; a wallet's message waits for it");
            }
            done => return done,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_RETRY);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_away_for_long_is_asked_less_and_less_often_but_always() {
        let (started, tries) = (Instant::now(), Cell::new(0));
        let work = async || match tries.replace(tries.get() + 1) {
            ..10 => Err(StoreError::Unavailable("full".into()).into()),
            _ => Ok("stored"),
        };
        assert_eq!(until_stored(StreamId::from_bytes([1; 16]), work).await.unwrap(), "stored");
        // 0.1 + 0.2 + … + 3.2, then four times 5.
        assert_eq!(started.elapsed(), Duration::from_millis(6_300 + 20_000));
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_pass_is_not_tried_again() {
        let started = Instant::now();
        let damaged = async || Err::<(), _>(StoreError::Corrupt("x".into()).into());
        assert!(matches!(
            until_stored(StreamId::from_bytes([1; 16]), damaged).await,
            Err(PortalError::Store(StoreError::Corrupt(_)))
        ));
        assert!(started.elapsed().is_zero());
    }
}
