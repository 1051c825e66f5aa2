//! The two halves of a connection as nostr-sdk uses them, with the [`Tap`] in between.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use async_wsocket::Message;
use async_wsocket::message::CloseFrame;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use nostr_sdk::pool::transport::error::TransportError;
use nostr_sdk::pool::transport::websocket::{WebSocketSink, WebSocketStream};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite;

use super::cpu;
use super::dial::Socket;
use super::pace::Pace;
use super::tap::{Control, Tap};

/// After this many frames in a row, the network loop serves other connections.
const FAIR_SHARE: u32 = 64;

/// The id of the event by which nostr-sdk last logged in on this connection (NIP-42).
type Login = Arc<Mutex<Option<String>>>;

/// Splits a connection into the halves that nostr-sdk expects. `pace` limits how fast it is read.
pub(super) fn split(socket: Socket, tap: Arc<Tap>, pace: Pace) -> (WebSocketSink, WebSocketStream) {
    let (sink, stream) = socket.split();
    let login = Login::default();
    let outgoing = Outgoing { sink, tap: Arc::clone(&tap), login: Arc::clone(&login) };
    let incoming = Incoming { stream, tap, login, pace, rest: None, controls: None };
    (Box::new(outgoing), Box::pin(incoming))
}

struct Incoming {
    stream: SplitStream<Socket>,
    tap: Arc<Tap>,
    login: Login,
    pace: Pace,
    /// While Portico does not read this relay, because it has used up its share.
    rest: Option<Pin<Box<Sleep>>>,
    /// Where control frames go. Available once nostr-sdk has begun to read: before that it accepts no frames
    /// to send.
    controls: Option<mpsc::Sender<Control>>,
}

type Next = Poll<Option<Result<Message, TransportError>>>;

impl Stream for Incoming {
    type Item = Result<Message, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Next {
        let this = self.get_mut();
        ready!(this.poll_rested(cx));
        this.pace.begin();
        // Measure the whole turn: the relay pays for the reading of everything that it sends.
        let (next, cost) = cpu::measured(|| this.poll_turn(cx));
        this.tap.spend(cost);
        next
    }
}

impl Incoming {
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

    /// Reads frames up to the first one for nostr-sdk.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Next {
        let Self { stream, tap, login, controls, .. } = self;
        let controls = controls.get_or_insert_with(|| tap.connected());
        for _ in 0..FAIR_SHARE {
            let message = match ready!(stream.poll_next_unpin(cx)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Poll::Ready(Some(Err(TransportError::backend(error)))),
                None => return Poll::Ready(None),
            };
            let passed = match message {
                tungstenite::Message::Text(text) => {
                    let login = login.lock().unwrap_or_else(PoisonError::into_inner);
                    tap.sort(text, controls, login.as_deref()).map(|text| Message::Text(text.to_string()))
                }
                // Answered below: nostr-sdk has no use for it.
                tungstenite::Message::Ping(_) => None,
                tungstenite::Message::Pong(payload) => {
                    tap.health.ponged().then(|| Message::Pong(payload.to_vec()))
                }
                tungstenite::Message::Close(frame) => Some(Message::Close(frame.map(CloseFrame::from))),
                // Nostr has no binary messages, and raw frames are not read.
                tungstenite::Message::Binary(_) | tungstenite::Message::Frame(_) => {
                    tap.garbage();
                    None
                }
            };
            if let Some(message) = passed {
                return Poll::Ready(Some(Ok(message)));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

struct Outgoing {
    sink: SplitSink<Socket, tungstenite::Message>,
    tap: Arc<Tap>,
    login: Login,
}

impl Sink<Message> for Outgoing {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sink.poll_ready_unpin(cx).map_err(TransportError::backend)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Self::Error> {
        if let Message::Text(text) = &message
            && let Some(id) = login_id(text)
        {
            *self.login.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
        }
        if matches!(message, Message::Ping(_)) {
            self.tap.health.pinged();
        }
        let sent = self.sink.start_send_unpin(message.into()).map_err(TransportError::backend);
        self.tap.drained.notify_one();
        sent
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sink.poll_flush_unpin(cx).map_err(TransportError::backend)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sink.poll_close_unpin(cx).map_err(TransportError::backend)
    }
}

/// The event id in an `AUTH` frame that Portico sends.
fn login_id(frame: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Identified {
        id: String,
    }
    let is_login = frame.starts_with(r#"["AUTH","#);
    let parsed = is_login.then(|| serde_json::from_str::<(IgnoredAny, Identified)>(frame))?;
    parsed.ok().map(|(_, event)| event.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostr_sdk::prelude::{ClientMessage, EventBuilder, JsonUtil, Keys};

    #[test]
    fn the_id_of_a_login_is_read_off_the_frame_the_sdk_sends() {
        let url = "wss://relay.example".parse().unwrap();
        let event = EventBuilder::auth("challenge", url).sign_with_keys(&Keys::generate()).unwrap();
        let id = event.id.to_hex();
        assert_eq!(login_id(&ClientMessage::auth(event.clone()).as_json()), Some(id));
        assert_eq!(login_id(&ClientMessage::event(event).as_json()), None);
    }
}
