//! Connections: accepted up to a bound, served until the daemon stops, never waited for without a deadline.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use dashmap::DashMap;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::unistd::{Gid, Uid, User, getgrouplist};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use super::guard::Peer;
use super::listen::UnixSocket;
use crate::config::Local;
use crate::lifecycle::Lifecycle;
use crate::metrics::{Limit, Metrics, Present};

/// How long the head of a request may take to arrive, the wait for it included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may take to end once the daemon stops; well within its grace time.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// After a failure to accept (no file descriptors left), how long before the next try.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What a connection beyond the bound gets, whatever it asks.
const REFUSAL: &str = "HTTP/1.1 429 Too Many Requests\r\n\
    content-type: application/json\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 80\r\n\r\n\
    {\"success\":false,\"error\":\"too many connections are open\",\"code\":\"limit_reached\"}";

/// How long that may take, and how much of it is for the client to begin.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
const REFUSAL_PATIENCE: Duration = Duration::from_millis(500);

/// How many connections may be refused at the same time; those beyond are closed without a word.
const MAX_REFUSALS: usize = 256;

/// Accepts connections and serves them.
#[derive(Debug, Clone)]
pub(super) struct Server {
    router: Router,
    lifecycle: Lifecycle,
    metrics: Arc<Metrics>,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    per_peer: Arc<DashMap<PeerKey, usize>>,
    max_per_peer: usize,
    allow_uids: Arc<[u32]>,
    allow_gids: Arc<[u32]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PeerKey {
    Uid(u32),
    Ip(IpAddr),
}

/// A place among the connections; given back when it is dropped. A WebSocket keeps it beyond the end of HTTP.
#[derive(Debug)]
pub(super) struct Place {
    _in_all: OwnedSemaphorePermit,
    per_peer: Arc<DashMap<PeerKey, usize>>,
    peer: PeerKey,
    _counted: Present,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.per_peer.remove_if_mut(&self.peer, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}

impl Server {
    pub(super) fn new(router: Router, local: &Local, lifecycle: Lifecycle, metrics: Arc<Metrics>) -> Self {
        Self {
            router,
            lifecycle,
            metrics,
            places: Arc::new(Semaphore::new(local.max_connections)),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            per_peer: Arc::default(),
            max_per_peer: local.max_connections_per_peer,
            allow_uids: local.allow_uids.clone().into(),
            allow_gids: local.allow_gids.clone().into(),
        }
    }

    pub(super) async fn accept_unix(self, socket: UnixSocket) {
        loop {
            match socket.listener.accept().await {
                Ok((stream, _)) => match self.unix_peer(&stream) {
                    Ok(peer) => self.spawn(stream, peer),
                    Err(error) => tracing::debug!(%error, "a connection left before it was served"),
                },
                Err(error) => self.cannot_accept(&error).await,
            }
        }
    }

    pub(super) async fn accept_tcp(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true);
                    self.spawn(stream, Peer::Tcp(address.ip().to_canonical()));
                }
                Err(error) => self.cannot_accept(&error).await,
            }
        }
    }

    async fn cannot_accept(&self, error: &io::Error) {
        tracing::warn!(%error, "cannot accept a connection");
        tokio::time::sleep(ACCEPT_AGAIN).await;
    }

    fn unix_peer(&self, stream: &UnixStream) -> io::Result<Peer> {
        let peer = stream.peer_cred()?;
        let own = nix::unistd::geteuid().as_raw();
        let uid = peer.uid();
        let allowed = uid == 0
            || uid == own
            || self.allow_uids.contains(&uid)
            || self.allow_gids.contains(&peer.gid())
            || (!self.allow_gids.is_empty() && self.is_member(uid, peer.gid()));
        Ok(Peer::Unix { uid, allowed })
    }

    /// Whether a user belongs to a listed group by its other groups.
    fn is_member(&self, uid: u32, gid: u32) -> bool {
        let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return false };
        let Ok(name) = std::ffi::CString::new(user.name) else { return false };
        getgrouplist(&name, Gid::from_raw(gid))
            .is_ok_and(|groups| groups.iter().any(|group| self.allow_gids.contains(&group.as_raw())))
    }

    fn take_place(&self, peer: Peer) -> Result<Place, Limit> {
        let (peer, socket) = match peer {
            Peer::Unix { uid, .. } => (PeerKey::Uid(uid), "unix"),
            Peer::Tcp(ip) => (PeerKey::Ip(ip), "tcp"),
        };
        let in_all = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Limit::Connections)?;
        let mut count = self.per_peer.entry(peer).or_default();
        if *count >= self.max_per_peer {
            return Err(Limit::ConnectionsPerPeer);
        }
        *count += 1;
        let counted = self.metrics.api.connected(socket);
        Ok(Place { _in_all: in_all, per_peer: Arc::clone(&self.per_peer), peer, _counted: counted })
    }

    /// Serves one connection in a task of its own; where there is no place, says so and closes it.
    fn spawn(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer) {
        let place = match self.take_place(peer) {
            Ok(place) => place,
            Err(limit) => {
                self.metrics.limits.reached(limit);
                tracing::debug!(%peer, limit = limit.label(), "too many connections: one was refused");
                let Ok(refusing) = Arc::clone(&self.refusals).try_acquire_owned() else { return };
                return self.lifecycle.spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL_TIMEOUT, refuse(stream)).await;
                    drop(refusing);
                });
            }
        };
        let (router, lifecycle, place) = (self.router.clone(), self.lifecycle.clone(), Arc::new(place));
        self.lifecycle.spawn(async move { serve(stream, peer, place, router, &lifecycle).await });
    }
}

/// Tells a client that there is no place, after it began to speak (some cannot read an answer that comes before
/// their question), and waits for it to leave: a connection that is closed with something unread on it takes
/// back what was said (RFC 9112 §9.6).
async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let _ = tokio::time::timeout(REFUSAL_PATIENCE, stream.read(&mut [0; 1024])).await;
    stream.write_all(REFUSAL.as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    place: Arc<Place>,
    router: Router,
    lifecycle: &Lifecycle,
) {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(Arc::clone(&place));
        router.clone().oneshot(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(32 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = lifecycle.stopping() => {
            // Idle connections close now, busy ones after their answer. A client that has not sent the whole
            // of its request by now is not waited for; what others asked for runs on by itself.
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(LAST_ANSWERS, connection).await {
                Ok(ended) => ended,
                Err(_) => return tracing::debug!(%peer, "a connection was cut: it held up the end"),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_proper_http() {
        let (head, body) = REFUSAL.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
