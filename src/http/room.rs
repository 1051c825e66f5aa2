//! How many streams may be followed at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::envelope::ApiError;
use crate::metrics::{Limit, Reading};

/// When to retry after a refusal. Followers come and go all the time.
const FOLLOW_AGAIN: Duration = Duration::from_secs(5);

/// The remaining room within the bounds that all clients share.
#[derive(Debug)]
pub(crate) struct Room {
    followers: Arc<Semaphore>,
    max_followers: usize,
    pub(crate) max_followed_per_connection: usize,
}

/// Room for one followed stream, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Following {
    _in_all: OwnedSemaphorePermit,
    _on_connection: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(crate) fn new(max_followers: usize, max_followed_per_connection: usize) -> Self {
        let max_followers = max_followers.min(Semaphore::MAX_PERMITS);
        Self {
            followers: Arc::new(Semaphore::new(max_followers)),
            max_followers,
            max_followed_per_connection: max_followed_per_connection.min(Semaphore::MAX_PERMITS),
        }
    }

    /// Room for one more followed stream; on a WebSocket, within the bound of that connection.
    pub(crate) fn follow(&self, connection: Option<&Arc<Semaphore>>) -> Result<Following, ApiError> {
        let take = |places: &Arc<Semaphore>, limit, message| {
            let place = Arc::clone(places).try_acquire_owned();
            place.map_err(|_| ApiError::limit_reached(limit, message, Some(FOLLOW_AGAIN)))
        };
        let message = "this connection follows too many streams";
        let on_connection =
            connection.map(|places| take(places, Limit::FollowedPerConnection, message)).transpose()?;
        let in_all = take(&self.followers, Limit::Followers, "all clients together follow too many streams")?;
        Ok(Following { _in_all: in_all, _on_connection: on_connection })
    }

    pub(crate) fn read_into(&self, reading: &mut Reading) {
        let taken = self.max_followers - self.followers.available_permits();
        let help = "Streams that clients follow or wait for, all clients together.";
        reading.gauge("portico_followers", help, &[], taken as f64);
    }
}
