//! A relay inside this process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use nostr_relay_builder::builder::RateLimit;
use nostr_relay_builder::{LocalRelay, RelayBuilder};
use nostr_sdk::RelayUrl;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The relay could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedRelayError {
    /// No port could be bound.
    #[error("the embedded relay does not start: {0}")]
    Io(#[from] io::Error),
    /// The address has no form as a URL.
    #[error("the embedded relay has no URL")]
    Url,
}

/// A Nostr relay on the loopback address. Ephemeral events are passed on and not kept, as on public relays.
/// It stops when it is dropped.
///
/// The protocol is that of `nostr-relay-builder`. The sockets are ours: so a free port is bound and not only
/// looked for, small frames go out at once, and a stop closes every connection.
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

    /// Starts a relay on a given port, that of one that was [stopped](Self::stop), say.
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

    /// Where it is: `ws://127.0.0.1:…`.
    pub fn url(&self) -> &RelayUrl {
        &self.url
    }

    /// Stops listening and closes all connections.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, stop: CancellationToken) {
    // The limits of a relay that wants its users' traffic: the defaults are made for feeds.
    let limits = RateLimit { max_reqs: 500, notes_per_minute: 1_000_000 };
    let relay = LocalRelay::new(RelayBuilder::default().rate_limit(limits));
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        // An error is about one connection, which has gone before it was accepted.
        let Ok((stream, peer)) = accepted else { continue };
        let (relay, stop) = (relay.clone(), stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled(serve(relay, stream, peer)).await });
    }
}

async fn serve(relay: LocalRelay, mut stream: TcpStream, peer: SocketAddr) {
    // A forwarded event must not wait for the acknowledgement of what went out before it.
    let _ = stream.set_nodelay(true);
    if tokio_tungstenite::accept_async(&mut stream).await.is_err() {
        return;
    }
    if let Err(error) = relay.take_connection(stream, peer).await {
        tracing::debug!(%peer, %error, "a connection to the embedded relay ended");
    }
}
