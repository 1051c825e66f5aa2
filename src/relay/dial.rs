//! Makes a connection: resolve, check, connect, TLS, WebSocket.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nostr_sdk::prelude::Url;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use url::Host;

use super::error::LinkError;
use super::health::Origin;
use super::pace::{Pace, Paced};
use crate::address;
use crate::lookups::{NamedBy, look_up};
use crate::tls::{Tls, TlsFault};

/// A connection to a relay.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<Paced<TcpStream>>>;

/// Portico closes the connection to a relay of the operator that sends a longer message, in bytes. Our own
/// events are a hundred times smaller, but an honest relay may pass on larger ones.
const MAX_MESSAGE: usize = 1024 * 1024;

/// … and this is the bound for a relay that a wallet named: real relays accept no message of more than 128
/// KiB by default. There are many of these relays, and each may leave half a message in our memory.
const MAX_MESSAGE_OF_STRANGERS: usize = 130 * 1024;

/// How many bytes one call reads. An idle connection holds as much.
const READ_BUFFER: usize = 16 * 1024;

/// The head start of one address of a name over the next (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Portico tries at most this many addresses of a name.
const MAX_ADDRESSES: usize = 8;

/// The conditions of a connection to a relay.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// Connect only if all addresses of the relay are public.
    public_only: bool,
    named_by: NamedBy,
    max_message: usize,
    pace: Pace,
}

impl Terms {
    /// For a relay of this origin, read at this pace.
    pub(super) fn of(origin: Origin, public_only: bool, pace: Pace) -> Self {
        let (named_by, max_message) = match origin {
            Origin::Operator => (NamedBy::Operator, MAX_MESSAGE),
            Origin::Preferred => (NamedBy::Strangers, MAX_MESSAGE_OF_STRANGERS),
        };
        Self { public_only, named_by, max_message, pace }
    }
}

/// Connects to a relay. With `public_only`, only if all its addresses are public. It connects to the
/// addresses that were checked, so a name that resolves differently a moment later gains nothing.
pub(super) async fn dial(url: &Url, terms: &Terms, tls: &Tls) -> Result<Socket, LinkError> {
    let addresses = resolve(url, terms.named_by).await?;
    if terms.public_only && !addresses.iter().all(|address| address::is_public(address.ip())) {
        return Err(LinkError::PrivateAddress);
    }
    let stream = connect(addresses).await.map_err(|error| LinkError::Unreachable(error.kind()))?;
    // Frames are small and somebody waits for each.
    let _ = stream.set_nodelay(true);
    let stream = Paced::new(stream, terms.pace.clone());
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(terms.max_message))
        .max_frame_size(Some(terms.max_message));
    let stream = if url.scheme() == "wss" {
        // Boxed: the future of a TLS handshake is large.
        MaybeTlsStream::Rustls(Box::pin(secure(url, stream, tls)).await?)
    } else {
        MaybeTlsStream::Plain(stream)
    };
    let handshake = tokio_tungstenite::client_async_with_config(url.as_str(), stream, Some(config));
    let (socket, _) = handshake.await.map_err(|error| explain(&error))?;
    Ok(socket)
}

async fn secure<S>(url: &Url, stream: S, tls: &Tls) -> Result<TlsStream<S>, LinkError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let host = url.host_str().ok_or(LinkError::NoHost)?.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|_| LinkError::Tls(TlsFault::Failed))?;
    let connecting = TlsConnector::from(tls.client()).connect(name, stream);
    connecting.await.map_err(|error| {
        let fault = TlsFault::of_handshake(&error);
        fault.map_or_else(|| LinkError::Unreachable(error.kind()), LinkError::Tls)
    })
}

async fn resolve(url: &Url, named_by: NamedBy) -> Result<Vec<SocketAddr>, LinkError> {
    let host = url.host().ok_or(LinkError::NoHost)?;
    let port = url.port_or_known_default().ok_or(LinkError::NoHost)?;
    let addresses = match host {
        Host::Ipv4(ip) => vec![SocketAddr::from((ip, port))],
        Host::Ipv6(ip) => vec![SocketAddr::from((ip, port))],
        Host::Domain(name) => look_up(name, port, named_by).await.map_err(|_| LinkError::Unresolved)?,
    };
    if addresses.is_empty() { Err(LinkError::Unresolved) } else { Ok(addresses) }
}

/// The first of the addresses that answers. Each later one starts a little later, so that a dead address
/// (often the IPv6 one) costs a moment and not the whole timeout.
async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = FuturesUnordered::new();
    for (address, n) in addresses.into_iter().take(MAX_ADDRESSES).zip(0..) {
        attempts.push(async move {
            tokio::time::sleep(HEAD_START * n).await;
            TcpStream::connect(address).await
        });
    }
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    while let Some(attempt) = attempts.next().await {
        match attempt {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The cause of a failed handshake.
fn explain(error: &WsError) -> LinkError {
    if let Some(fault) = TlsFault::of(error) {
        return LinkError::Tls(fault);
    }
    match error {
        WsError::Tls(_) => LinkError::Tls(TlsFault::Failed),
        WsError::Io(error) => LinkError::Unreachable(error.kind()),
        WsError::Http(response) => LinkError::NotWebSocket(response.status().as_u16()),
        _ => LinkError::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn failure(url: &str, public_only: bool) -> LinkError {
        let terms = Terms::of(Origin::Preferred, public_only, Pace::default());
        dial(&url.parse().unwrap(), &terms, &Tls::default()).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_strangers_name_for_a_private_address_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
            let error = failure(&format!("wss://{host}:{port}"), true).await;
            assert_eq!(error, LinkError::PrivateAddress, "{host}");
        }
        let knocked = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
        assert!(knocked.is_err(), "nobody knocked");
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = failure(&format!("ws://{address}"), false).await;
        assert_eq!(error, LinkError::Unreachable(io::ErrorKind::ConnectionRefused));
    }

    #[tokio::test]
    async fn a_server_without_tls_or_websocket_is_told_as_such() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
            }
        });
        assert_eq!(failure(&format!("wss://{address}"), false).await, LinkError::Tls(TlsFault::NotTls));
        assert_eq!(failure(&format!("ws://{address}"), false).await, LinkError::NotWebSocket(404));
    }
}
