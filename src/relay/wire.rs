//! One connection to a relay: what the relay sends goes into the [`Tap`], and messages of ours go out. Sends
//! pings (RFC 6455 §5.5.2), and logs in where the relay asks for it (NIP-42).

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use nostr_sdk::prelude::{ClientMessage, EventBuilder, EventId, JsonUtil, Keys};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, Sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::cpu;
use super::dial::Socket;
use super::pace::Pace;
use super::tap::{Connection, Control, Tap};

/// After this many frames in a row, the network loop serves other connections.
const FAIR_SHARE: u32 = 64;

/// How many batches of messages wait to be sent. Portico keeps the queue much shorter, see `link`.
const QUEUE: usize = 1024;

/// How often Portico sends a ping. The connection ends if the previous one was not answered by then.
const PING_EVERY: Duration = Duration::from_secs(55);

/// The connection ends if the relay does not take a batch of messages within this time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long Portico waits for the relay to take the closing frame.
const FAREWELL: Duration = Duration::from_millis(200);

/// The id of the event by which Portico last logged in on this connection (NIP-42).
type Login = Arc<Mutex<Option<EventId>>>;

/// A connection, as its two halves.
pub(super) struct Wire {
    incoming: Incoming,
    outgoing: Outgoing,
    hung_up: mpsc::Sender<Control>,
}

impl Wire {
    /// The wire of a connection that was just made, and the connection as the task that looks after the relay
    /// sees it. `pace` limits how fast the relay is read; `keys` log in.
    pub(super) fn new(socket: Socket, tap: &Arc<Tap>, pace: Pace, keys: Keys) -> (Self, Connection) {
        let (sink, stream) = socket.split();
        let (queue, messages) = mpsc::channel(QUEUE);
        let (controls, heard) = tap.connected();
        let (challenged, challenges) = watch::channel(String::new());
        let login = Login::default();
        let outgoing =
            Outgoing { sink, tap: Arc::clone(tap), messages, challenges, login: Arc::clone(&login), keys };
        let hung_up = controls.clone();
        let incoming =
            Incoming { stream, tap: Arc::clone(tap), controls, challenged, login, pace, rest: None };
        (Self { incoming, outgoing, hung_up }, Connection { controls: heard, outgoing: queue })
    }

    /// Carries frames until the relay ends the connection or its [`Connection`] is dropped.
    pub(super) async fn run(self) {
        let Self { mut incoming, mut outgoing, hung_up } = self;
        tokio::select! {
            () = std::future::poll_fn(|cx| incoming.poll_end(cx)) => {}
            () = outgoing.run() => {}
            () = hung_up.closed() => {}
        }
        // Who looks after the relay must not wait for the farewell.
        drop((incoming, hung_up));
        let _ = timeout(FAREWELL, outgoing.sink.close()).await;
    }
}

struct Incoming {
    stream: SplitStream<Socket>,
    tap: Arc<Tap>,
    controls: mpsc::Sender<Control>,
    /// Where requests to log in go; only the last one counts.
    challenged: watch::Sender<String>,
    login: Login,
    pace: Pace,
    /// While Portico does not read this relay, because it has used up its share.
    rest: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    /// Reads frames; ready when the connection has ended.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_rested(cx));
        self.pace.begin();
        // Measure the whole turn: the relay pays for the reading of everything that it sends.
        let (ended, cost) = cpu::measured(|| self.poll_turn(cx));
        self.tap.spend(cost);
        ended
    }

    fn poll_rested(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.rest.is_none() {
            self.rest = self.tap.rest_until().map(|until| Box::pin(tokio::time::sleep_until(until)));
        }
        if let Some(rest) = &mut self.rest {
            ready!(rest.as_mut().poll(cx));
            self.rest = None;
        }
        Poll::Ready(())
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..FAIR_SHARE {
            match ready!(self.stream.poll_next_unpin(cx)) {
                Some(Ok(message)) => self.take(message),
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn take(&self, message: Message) {
        match message {
            Message::Text(text) => {
                let login = *self.login.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(challenge) = self.tap.sort(text, &self.controls, login) {
                    self.challenged.send_replace(challenge);
                }
            }
            Message::Pong(payload) => self.tap.health.ponged(&payload),
            // The WebSocket library answers them.
            Message::Ping(_) | Message::Close(_) => {}
            // Nostr has no binary messages, and raw frames are not read.
            Message::Binary(_) | Message::Frame(_) => self.tap.unknown("a binary message", &self.controls),
        }
    }
}

struct Outgoing {
    sink: SplitSink<Socket, Message>,
    tap: Arc<Tap>,
    messages: mpsc::Receiver<Vec<String>>,
    challenges: watch::Receiver<String>,
    login: Login,
    keys: Keys,
}

impl Outgoing {
    /// Sends what is to be sent; returns when the relay does not take or answer it.
    async fn run(&mut self) {
        let mut pings = tokio::time::interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frames = tokio::select! {
                messages = self.messages.recv() => match messages {
                    Some(messages) => messages.into_iter().map(Message::text).collect(),
                    None => return,
                },
                Ok(()) = self.challenges.changed() => self.log_in().into_iter().collect(),
                _ = pings.tick() => {
                    let payload: [u8; 8] = rand::random();
                    if !self.tap.health.pings(payload) {
                        return;
                    }
                    vec![Message::Ping(payload.to_vec().into())]
                }
            };
            match timeout(WRITE_TIMEOUT, send(&mut self.sink, frames)).await {
                Ok(Ok(())) => self.tap.drained.notify_one(),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    /// The message that answers the last request to log in.
    fn log_in(&mut self) -> Option<Message> {
        let challenge = self.challenges.borrow_and_update().clone();
        let event = EventBuilder::auth(challenge, self.tap.url.clone()).sign_with_keys(&self.keys).ok()?;
        *self.login.lock().unwrap_or_else(PoisonError::into_inner) = Some(event.id);
        Some(Message::text(ClientMessage::auth(event).as_json()))
    }
}

async fn send(
    sink: &mut SplitSink<Socket, Message>,
    frames: Vec<Message>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    for frame in frames {
        sink.feed(frame).await?;
    }
    sink.flush().await
}
