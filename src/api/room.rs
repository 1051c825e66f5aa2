//! How many streams may be followed, and whether there is room to open what leads to more events.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Api;
use super::envelope::ApiError;
use crate::config::Local;
use crate::metrics::{Limit, Reading};

/// Followers come and go all the time; so long after a refusal it makes sense to ask again.
const FOLLOW_AGAIN: Duration = Duration::from_secs(5);

/// What is left of the bounds that all clients share.
#[derive(Debug)]
pub(super) struct Room {
    followers: Arc<Semaphore>,
    max_followers: usize,
    pub(super) max_followed_per_connection: usize,
    pub(super) websocket_queue: usize,
}

/// Room for one stream that is followed, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Following {
    _in_all: OwnedSemaphorePermit,
    _on_connection: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(local: &Local) -> Self {
        let max_followers = local.max_followers.min(Semaphore::MAX_PERMITS);
        Self {
            followers: Arc::new(Semaphore::new(max_followers)),
            max_followers,
            max_followed_per_connection: local.max_followed_per_connection.min(Semaphore::MAX_PERMITS),
            websocket_queue: local.websocket_queue.min(Semaphore::MAX_PERMITS),
        }
    }

    /// Room to follow one stream more; on a WebSocket, of those that it has.
    pub(super) fn follow(&self, connection: Option<&Arc<Semaphore>>) -> Result<Following, ApiError> {
        let take = |places: &Arc<Semaphore>, limit, message| {
            let place = Arc::clone(places).try_acquire_owned();
            place.map_err(|_| ApiError::limit_reached(limit, message, Some(FOLLOW_AGAIN)))
        };
        let message = "too many streams are followed on this connection";
        let on_connection =
            connection.map(|places| take(places, Limit::FollowedPerConnection, message)).transpose()?;
        let in_all = take(&self.followers, Limit::Followers, "too many streams are followed")?;
        Ok(Following { _in_all: in_all, _on_connection: on_connection })
    }

    pub(super) fn read_into(&self, reading: &mut Reading) {
        let taken = self.max_followers - self.followers.available_permits();
        let help = "Streams that are followed or waited for, by all clients together.";
        reading.gauge("portico_followers", help, &[], taken as f64);
    }
}

impl Api {
    /// Whether one request more may be opened: what comes of it will have to be told to the webhook's receiver, too.
    pub(super) fn may_open(&self) -> Result<(), ApiError> {
        if self.webhooks.has_room() {
            return Ok(());
        }
        let message = "too many events wait for the webhook's receiver (webhook.max_waiting)";
        Err(ApiError::limit_reached(Limit::WebhookWaiting, message, Some(self.webhooks.counted_every())))
    }
}
