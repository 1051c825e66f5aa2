//! A relay inside this process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use nostr_relay_builder::builder::RateLimit;
use nostr_relay_builder::{LocalRelay, RelayBuilder};
use nostr_sdk::RelayUrl;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The reason why the relay could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedRelayError {
    /// No port could be bound.
    #[error("cannot start the embedded relay: {0}")]
    Io(#[from] io::Error),
    /// The address cannot be written as a URL.
    #[error("the embedded relay has no URL")]
    Url,
}

/// A Nostr relay on the loopback address. It forwards ephemeral events and does not store them, as public relays do.
/// It stops when it is dropped.
///
/// `nostr-relay-builder` implements the protocol. The sockets are our own: this binds a free port instead of
/// only looking for one, sends small frames at once, and closes every connection on a stop.
#[derive(Debug)]
pub struct EmbeddedRelay {
    url: RelayUrl,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl EmbeddedRelay {
    /// Starts a relay on a free port.
    ///
    /// # Errors
    ///
    /// [`EmbeddedRelayError`].
    pub async fn start() -> Result<Self, EmbeddedRelayError> {
        Self::start_at(0).await
    }

    /// Starts a relay on a given port, for example that of a [stopped](Self::stop) one.
    ///
    /// # Errors
    ///
    /// [`EmbeddedRelayError`].
    pub async fn start_at(port: u16) -> Result<Self, EmbeddedRelayError> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let url = format!("ws://{}", listener.local_addr()?);
        let url = RelayUrl::parse(&url).map_err(|_| EmbeddedRelayError::Url)?;
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, stop.clone()));
        Ok(Self { url, _stop_on_drop: stop.clone().drop_guard(), stop })
    }

    /// Its URL: `ws://127.0.0.1:…`.
    pub fn url(&self) -> &RelayUrl {
        &self.url
    }

    /// Stops listening and closes all connections.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, stop: CancellationToken) {
    // Higher limits than the defaults, which are meant for feeds.
    let limits = RateLimit { max_reqs: 500, notes_per_minute: 1_000_000 };
    let relay = LocalRelay::new(RelayBuilder::default().rate_limit(limits));
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        // An error concerns one connection, which closed before it was accepted.
        let Ok((stream, peer)) = accepted else { continue };
        let (relay, stop) = (relay.clone(), stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled(serve(relay, stream, peer)).await });
    }
}

async fn serve(relay: LocalRelay, mut stream: TcpStream, peer: SocketAddr) {
    // A forwarded event must not wait for the acknowledgement of the data before it.
    let _ = stream.set_nodelay(true);
    if tokio_tungstenite::accept_async(&mut stream).await.is_err() {
        return;
    }
    if let Err(error) = relay.take_connection(stream, peer).await {
        tracing::debug!(%peer, %error, "a connection to the embedded relay ended");
    }
}
