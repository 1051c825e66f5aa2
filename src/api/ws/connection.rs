//! One WebSocket: frames in, frames out, both bounded.
//!
//! Commands run side by side and answer as they finish; those that only compute run several to a task. All answers go
//! through one bounded queue. A client that does not read fills it and is disconnected; it can resume with
//! `Subscribe … after`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::request::{Command, Request};
use super::unknown::UntilKnown;
use super::{answer, command};
use crate::api::Api;
use crate::api::caller::Caller;
use crate::api::effect::Change;
use crate::http::envelope::ApiError;
use crate::http::observe::RequestId;
use crate::http::peer::Peer;
use crate::http::places::Place;
use crate::metrics::Limit;
use crate::portal::StreamId;
use crate::rights::Right;
use crate::session::Actor;

/// Bytes that may wait inside the socket.
pub(super) const MAX_UNSENT: usize = 1024 * 1024;

/// The most commands that one task computes: about half a millisecond, after which others have their turn.
const TOGETHER: usize = 16;

/// Commands of one client that run at the same time; more wait unread.
const MAX_RUNNING: usize = 256;

/// How long a client on TCP may take to send `Auth`.
const AUTH_TIMEOUT: Duration = Duration::from_secs(10);

/// How often Portico pings a client. It closes a connection that sends nothing for twice as long.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How long a client may take to read what the socket holds.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The data that all commands of one client share.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) api: Api,
    /// Names the connection in the log.
    id: RequestId,
    peer: Peer,
    /// The client, once it is known.
    caller: Arc<OnceLock<Caller>>,
    /// Whether the client needs no token, because the kernel or the guard has admitted it.
    trusted: bool,
    /// Streams that the client subscribed to.
    pub(super) subscriptions: Arc<DashMap<StreamId, CancellationToken>>,
    /// One permit for each stream that is followed.
    pub(super) followed: Arc<Semaphore>,
    /// The place of the connection.
    place: Arc<Place>,
    /// Notified if a client that is not known yet has sent more than it may.
    too_much: Arc<Notify>,
}

/// Sends to the client. A full queue ends the connection.
#[derive(Debug, Clone)]
pub(super) struct SendQueue {
    queue: mpsc::Sender<Message>,
    overrun: Arc<Notify>,
}

impl SendQueue {
    pub(super) fn send(&self, message: &impl Serialize) {
        self.send_text(answer::text(message));
    }

    pub(super) fn send_text(&self, text: String) {
        if self.queue.try_send(Message::text(text)).is_err() {
            self.overrun.notify_one();
        }
    }
}

/// Why a connection ends.
enum End {
    /// The client left, or sent nothing for too long.
    Gone,
    /// Portico closes it with this code and reason.
    Close(CloseCode, &'static str),
}

impl Connection {
    pub(super) fn new(api: Api, caller: Caller, id: RequestId, place: Arc<Place>) -> Self {
        let followed = Arc::new(Semaphore::new(api.room.max_followed_per_connection));
        let (peer, trusted) = (caller.peer, !caller.rights.are_none());
        Self {
            api,
            id,
            peer,
            trusted,
            caller: Arc::new(if trusted { caller.into() } else { OnceLock::new() }),
            subscriptions: Arc::default(),
            followed,
            place,
            too_much: Arc::default(),
        }
    }

    /// The stream of the connection, which passes on few bytes until the client is known.
    pub(super) fn until_known<S>(&self, stream: S) -> UntilKnown<S> {
        UntilKnown::new(stream, Arc::clone(&self.caller), Arc::clone(&self.too_much))
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.caller.get().is_some()
    }

    /// Checks the token of `Auth`. The first valid one decides who the client is from then on.
    ///
    /// # Errors
    /// 401.
    pub(super) fn authenticate(&self, token: &str) -> Result<(), ApiError> {
        if !self.trusted {
            let caller = self.api.guard.identify(self.peer, token)?;
            // If the connection has shown a token before, its caller stays the same.
            let voucher = caller.voucher();
            if self.caller.set(caller).is_ok() {
                self.place.vouch(voucher);
            }
        }
        Ok(())
    }

    /// Waits until the client has to leave; returns the reason.
    async fn outstayed(&self) -> &'static str {
        self.place.outstayed().await;
        if self.is_authenticated() { "the API token has expired or was revoked" } else { "send Auth first" }
    }

    /// Refuses a command that needs a right which the client lacks.
    ///
    /// # Errors
    /// 401, or 403 `missing_right`.
    pub(super) fn require(&self, right: Option<Right>) -> Result<(), ApiError> {
        match (right, self.caller.get()) {
            (Some(right), Some(caller)) => caller.require(right),
            (Some(right), None) => Err(ApiError::missing_right(right)),
            (None, _) => Ok(()),
        }
    }

    /// The client, as the audit names it.
    ///
    /// # Errors
    /// 401: it has not shown a token.
    pub(super) fn actor(&self) -> Result<Actor, ApiError> {
        self.known_caller().map(Actor::peer)
    }

    /// A change that the client asks for by this command.
    ///
    /// # Errors
    /// 401, or 429: its token has made too many.
    pub(super) fn change(&self, command: &str) -> Result<Change, ApiError> {
        let caller = self.known_caller()?;
        caller.may_change()?;
        Ok(Change::begin(caller, command.to_owned(), &self.id))
    }

    fn known_caller(&self) -> Result<&Caller, ApiError> {
        self.caller.get().ok_or_else(|| ApiError::unauthorized("send Auth with the API token first"))
    }

    /// Counts a command that was carried out or refused, and logs it.
    pub(super) fn note(&self, command: &'static str, error: Option<&ApiError>) {
        self.api.metrics.api.commanded(command, error.map_or("ok", |error| error.code));
        if let Some(limit) = error.and_then(|error| error.limit) {
            self.api.metrics.limits.reached(limit);
        }
        let code = error.map(|error| error.code);
        let caller = self.caller.get().and_then(Caller::label);
        let caller = caller.as_deref();
        match error.and_then(|error| error.cause.as_deref()) {
            Some(cause) => {
                tracing::error!(request_id = %self.id, caller, command, code, cause, "command failed")
            }
            None => tracing::debug!(caller, command, code, "command answered"),
        }
    }

    /// Serves the client until it leaves, does not read, or the daemon stops.
    pub(super) async fn run<S>(self, socket: WebSocketStream<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sink, stream) = socket.split();
        let _present = self.api.metrics.api.on_websocket();
        let (queue, waiting) = mpsc::channel(self.api.websocket_queue);
        let send_queue = SendQueue { queue, overrun: Arc::default() };
        let overrun = Arc::clone(&send_queue.overrun);
        let stopping = self.api.lifecycle.clone();
        let limits = &self.api.metrics.limits;
        // Dropped with this function: no command outlives its client.
        let mut tasks = JoinSet::new();
        let (closing, close) = tokio::sync::oneshot::channel();
        let mut writer = tokio::spawn(write(sink, waiting, close));
        let end = tokio::select! {
            end = self.read(stream, send_queue, &mut tasks) => end,
            () = overrun.notified() => {
                limits.reached(Limit::WebsocketQueue);
                End::Close(CloseCode::Policy, "the client does not read")
            }
            reason = self.outstayed() => End::Close(CloseCode::Policy, reason),
            () = stopping.stopping() => End::Close(CloseCode::Away, "the daemon is stopping"),
            _ = &mut writer => return,
        };
        drop(tasks);
        if let End::Close(code, reason) = end {
            let _ = closing.send(CloseFrame { code, reason: reason.into() });
        } else {
            drop(closing);
        }
        if timeout(WRITE_TIMEOUT.min(Duration::from_secs(2)), &mut writer).await.is_err() {
            writer.abort();
        }
    }

    async fn read<S>(
        &self,
        stream: SplitStream<WebSocketStream<S>>,
        send_queue: SendQueue,
        tasks: &mut JoinSet<()>,
    ) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let running = Arc::new(Semaphore::new(MAX_RUNNING));
        let mut frames = stream.ready_chunks(TOGETHER);
        let mut commands: u64 = 0;
        loop {
            let patience = if self.is_authenticated() { PING_EVERY * 2 } else { AUTH_TIMEOUT };
            let next = tokio::select! {
                biased;
                next = timeout(patience, frames.next()) => next,
                () = self.too_much.notified(), if !self.is_authenticated() => {
                    self.api.metrics.limits.reached(Limit::MessageSize);
                    return End::Close(CloseCode::Size, "the message is too large: send Auth first");
                }
            };
            let frames = match next {
                Ok(Some(frames)) => frames,
                Ok(None) => return End::Gone,
                Err(_) if self.is_authenticated() => return End::Gone,
                Err(_) => return End::Close(CloseCode::Policy, "send Auth first"),
            };
            let mut computing = Vec::with_capacity(frames.len());
            for frame in frames {
                let text = match self.text_of(frame) {
                    Ok(Some(text)) => text,
                    Ok(None) => continue,
                    Err(end) => return end,
                };
                commands += 1;
                let span =
                    tracing::debug_span!("command", request_id = %format_args!("{}/{commands}", self.id));
                let request = Request::parse(&text);
                if !self.is_authenticated() || matches!(request.command, Ok(Command::Auth(_))) {
                    // In order, before anything else is looked at.
                    if !command::authenticate(self, request, &send_queue).instrument(span).await {
                        return End::Close(CloseCode::Policy, "send Auth with the API token first");
                    }
                    continue;
                }
                if request.command.as_ref().is_ok_and(Command::only_computes) {
                    computing.push((request, span));
                    continue;
                }
                let Some(place) = places(&running, 1).await else { return End::Gone };
                let run = command::run(self.clone(), request, send_queue.clone(), place);
                tasks.spawn(run.instrument(span));
            }
            if !computing.is_empty() {
                let Some(places) = places(&running, computing.len()).await else { return End::Gone };
                tasks.spawn(command::run_together(self.clone(), computing, send_queue.clone(), places));
            }
            while tasks.try_join_next().is_some() {}
        }
    }

    /// The text in a frame, if it holds one; else why the connection ends, if it does.
    fn text_of(&self, frame: Result<Message, Error>) -> Result<Option<Utf8Bytes>, End> {
        match frame {
            Ok(Message::Text(text)) => Ok(Some(text)),
            Ok(Message::Binary(_)) => Err(End::Close(CloseCode::Unsupported, "the message is not text")),
            Ok(Message::Close(_)) => Err(End::Gone),
            Ok(_) => Ok(None),
            Err(Error::Capacity(_)) => {
                self.api.metrics.limits.reached(Limit::MessageSize);
                Err(End::Close(CloseCode::Size, "the message is too large"))
            }
            Err(Error::Utf8) => Err(End::Close(CloseCode::Invalid, "the message is not UTF-8")),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Err(End::Gone),
            Err(Error::Protocol(_)) => {
                Err(End::Close(CloseCode::Protocol, "the client does not follow RFC 6455"))
            }
            Err(_) => Err(End::Gone),
        }
    }
}

/// Waits until `count` more commands may run.
async fn places(running: &Arc<Semaphore>, count: usize) -> Option<OwnedSemaphorePermit> {
    Arc::clone(running).acquire_many_owned(count as u32).await.ok()
}

/// Sends what waits, everything that is there with one flush; at the end the close frame, if there is one.
async fn write<S>(
    mut sink: SplitSink<WebSocketStream<S>, Message>,
    mut waiting: mpsc::Receiver<Message>,
    mut close: tokio::sync::oneshot::Receiver<CloseFrame>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    loop {
        let first = tokio::select! {
            biased;
            frame = &mut close => {
                // What was answered before the end is still sent.
                while let Ok(message) = waiting.try_recv() {
                    if sink.feed(message).await.is_err() {
                        return;
                    }
                }
                if let Ok(frame) = frame {
                    let _ = sink.send(Message::Close(Some(frame))).await;
                }
                let _ = sink.close().await;
                return;
            }
            message = waiting.recv() => match message {
                Some(message) => message,
                None => return,
            },
            _ = ping.tick() => Message::Ping(Default::default()),
        };
        let batch = async {
            sink.feed(first).await?;
            while let Ok(message) = waiting.try_recv() {
                sink.feed(message).await?;
            }
            sink.flush().await
        };
        if !matches!(timeout(WRITE_TIMEOUT, batch).await, Ok(Ok(()))) {
            return;
        }
    }
}
