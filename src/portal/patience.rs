//! What a wallet sent is not sent again: it is kept until the store can take what follows from it.

use std::time::Duration;

use super::{PortalError, Result};
use crate::store::{StoreError, StreamId};

/// First wait before something is offered to the store again; doubles up to `LONGEST_RETRY`.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Does `work`, and again for as long as the store is not available, with longer and longer waits between.
/// What `work` found out before must be found out anew each time: meanwhile the world goes on. Any other
/// error comes straight back.
pub(super) async fn until_stored<T, F>(stream: StreamId, work: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut wait = FIRST_RETRY;
    loop {
        match work().await {
            Err(PortalError::Store(StoreError::Unavailable(reason))) => {
                tracing::error!(stream_id = %stream, reason, "the store cannot take a message of a wallet yet");
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
