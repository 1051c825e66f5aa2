//! The transport that nostr-sdk uses: our own connections, with taps.

use std::sync::Arc;
use std::time::Duration;

use async_wsocket::ConnectionMode;
use dashmap::DashMap;
use nostr_sdk::pool::transport::error::TransportError;
use nostr_sdk::pool::transport::websocket::{WebSocketSink, WebSocketStream, WebSocketTransport};
use nostr_sdk::prelude::{BoxedFuture, Url};

use super::backoff;
use super::dial::{Terms, dial};
use super::error::LinkError;
use super::pace::Pace;
use super::tap::Tap;
use super::wire;
use crate::shown;
use crate::tls::Tls;

/// The taps of all relays, by URL.
pub(super) type Taps = Arc<DashMap<Url, Arc<Tap>>>;

/// Connects to the relays that have a tap, and to no others.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) taps: Taps,
    pub(super) timeout: Duration,
    pub(super) retry: Duration,
    pub(super) tls: Tls,
}

impl Transport {
    async fn open(&self, url: &Url) -> Result<(WebSocketSink, WebSocketStream), LinkError> {
        let tap = self.taps.get(url).map(|tap| Arc::clone(&tap)).ok_or(LinkError::Lost)?;
        // Here, and not in nostr-sdk, because its jitter is three seconds whatever the interval.
        let wait = backoff::delay(self.retry, tap.attempt());
        let wait = backoff::jitter(wait, &mut rand::thread_rng());
        tokio::time::sleep(wait).await;
        let pace = Pace::default();
        let terms = Terms::of(tap.origin, tap.public_only, pace.clone());
        let dialed = tokio::time::timeout(self.timeout, dial(url, &terms, &self.tls)).await;
        match dialed.unwrap_or(Err(LinkError::TimedOut)) {
            Ok(socket) => Ok(wire::split(socket, tap, pace)),
            Err(error) => {
                // The same trouble again is no news, and a stranger's relay none at all.
                if tap.health.failed(error.clone()) && !tap.public_only {
                    tracing::warn!(relay = %shown::relay(&tap.url), code = error.code(), %error, "cannot connect to the relay");
                } else {
                    tracing::debug!(relay = %shown::relay(&tap.url), code = error.code(), %error, "cannot connect to the relay");
                }
                Err(error)
            }
        }
    }
}

impl WebSocketTransport for Transport {
    fn support_ping(&self) -> bool {
        true
    }

    fn connect<'a>(
        &'a self,
        url: &'a Url,
        _mode: &'a ConnectionMode,
        _timeout: Duration,
    ) -> BoxedFuture<'a, Result<(WebSocketSink, WebSocketStream), TransportError>> {
        Box::pin(async move { self.open(url).await.map_err(TransportError::backend) })
    }
}
