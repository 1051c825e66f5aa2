//! Connections: accepted up to a bound, and served until the daemon stops. Every wait has a deadline.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::head::MAX_HEAD;
use super::listen::UnixSocket;
use super::peer::Peer;
use super::places::{Place, Places};
use super::wire::{Returned, Wire, in_our_words, last_answer, linger};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::rights::Rights;

/// How long the head of a request may take to arrive, including the wait for its first byte.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a head hyper keeps. hyper checks this only while a head is incomplete, so a larger head passes if it
/// arrives at once. The bound for every head is `head::MAX_HEAD`, which is smaller.
const MAX_BUFFERED: usize = 2 * MAX_HEAD;

/// How long a connection may take to end once the daemon stops. This is well within its grace time.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// How long to wait after a failed accept (no file descriptors left) before the next try.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long a stranger may take to read its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// How long a refusal of a connection may take, and how much of this time the client has to begin.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
const REFUSAL_PATIENCE: Duration = Duration::from_millis(500);

/// Accepts connections and serves them.
#[derive(Clone)]
pub(crate) struct Server {
    router: Router,
    lifecycle: Lifecycle,
    metrics: Arc<Metrics>,
    places: Arc<Places>,
    /// For connections that are being refused. Further ones are closed without an answer.
    refusals: Arc<Semaphore>,
    known: Known,
}

/// The rights of a user of this machine on the Unix socket, by the user and group that the kernel names.
pub(crate) type Known = Arc<dyn Fn(u32, u32) -> Rights + Send + Sync>;

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn new(
        router: Router,
        places: Places,
        known: Known,
        lifecycle: Lifecycle,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            router,
            lifecycle,
            refusals: Arc::new(Semaphore::new(places.refusals())),
            places: Arc::new(places),
            metrics,
            known,
        }
    }

    pub(crate) async fn accept_unix(self, socket: UnixSocket) {
        loop {
            match socket.listener.accept().await {
                Ok((stream, _)) => match self.unix_peer(&stream) {
                    Ok(peer) => self.spawn(stream, peer),
                    Err(error) => tracing::debug!(%error, "a connection closed before it was served"),
                },
                Err(error) => self.cannot_accept(&error).await,
            }
        }
    }

    pub(crate) async fn accept_tcp(self, listener: TcpListener) {
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
        Ok(Peer::Unix { uid: peer.uid(), rights: (self.known)(peer.uid(), peer.gid()) })
    }

    /// Serves one connection in a task of its own. If there is no place, refuses and closes it.
    fn spawn(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer) {
        let place = match self.places.take(peer) {
            Ok(place) => place,
            Err(limit) => {
                self.metrics.limits.reached(limit);
                tracing::debug!(%peer, limit = limit.label(), "too many connections; refused one");
                let Ok(refusing) = Arc::clone(&self.refusals).try_acquire_owned() else { return };
                return self.lifecycle.spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL_TIMEOUT, refuse(stream)).await;
                    drop(refusing);
                });
            }
        };
        let (server, place) = (self.clone(), Arc::new(place));
        self.lifecycle.spawn(async move { server.serve(stream, peer, place).await });
    }

    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        place: Arc<Place>,
    ) {
        let (wire, mut given_back) = Wire::new(stream, Arc::clone(&self.metrics));
        let ended = self.serve_http(wire, peer, &place).await;
        if let Err(error) = &ended {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
        // A WebSocket keeps it. A daemon that stops waits for nobody who has had an answer.
        let Ok(Returned { mut stream, is_unanswered }) = given_back.try_recv() else { return };
        // hyper has no answer for a client that begins with HTTP/2.
        if is_unanswered && ended.is_err_and(|error| error.is_parse()) {
            let status = StatusCode::BAD_REQUEST;
            self.metrics.api.answered("none", "other", status.as_str(), Duration::ZERO);
            let answer = in_our_words(status);
            let _ = tokio::time::timeout(LAST_ANSWER, async {
                stream.write_all(&answer).await?;
                stream.shutdown().await
            })
            .await;
        }
        tokio::select! {
            () = linger(stream) => {}
            () = place.outstayed() => {}
            () = self.lifecycle.stopping() => {}
        }
    }

    async fn serve_http(
        &self,
        wire: Wire<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
        peer: Peer,
        place: &Arc<Place>,
    ) -> hyper::Result<()> {
        let router = self.router.clone();
        let for_requests = Arc::clone(place);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(Arc::clone(&for_requests));
            router.clone().oneshot(request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_BUFFERED)
            .serve_connection(TokioIo::new(wire), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        // Idle connections close now, busy ones after their answer. Portico does not wait for a client that has not
        // sent its whole request by now. Changes that others asked for continue in tasks of their own.
        let patience = tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.lifecycle.stopping() => LAST_ANSWERS,
            () = place.outstayed() => LAST_ANSWER,
        };
        connection.as_mut().graceful_shutdown();
        match tokio::time::timeout(patience, connection).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::debug!(%peer, "closed a connection that took too long to end");
                Ok(())
            }
        }
    }
}

/// Tells a client that there is no place, after the client began to send (some clients cannot read an answer that
/// comes before their request), and waits for it to leave.
async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let _ = tokio::time::timeout(REFUSAL_PATIENCE, stream.read(&mut [0; 1024])).await;
    let message = "too many connections are open";
    let again = "retry-after: 5\r\n";
    stream.write_all(&last_answer(StatusCode::TOO_MANY_REQUESTS, "limit_reached", message, again)).await?;
    stream.shutdown().await?;
    linger(stream).await;
    Ok(())
}
