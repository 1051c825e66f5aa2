//! The relay: passes ephemeral events on by kind and `#p`, and does nothing else.
//!
//! Not nostr-relay-builder: that one verifies every signature, matches each event against every filter of
//! every connection, and has one channel of 1024 events for all, which a few thousand logins at once overrun.
//! It would be measured, and not the daemon. Nobody here forges anything, so nothing is verified.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};
use tokio_util::task::AbortOnDropHandle;

use crate::Result;

pub(crate) type Outbox = mpsc::UnboundedSender<Message>;

/// One subscription: who gets what under which name.
#[derive(Clone)]
struct Subscription {
    connection: u64,
    id: String,
    kinds: Vec<u16>,
    outbox: Outbox,
}

/// Subscriptions by the key that they are for.
type Subscribers = Arc<Mutex<HashMap<String, Vec<Subscription>>>>;

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    kinds: Vec<u16>,
    #[serde(default, rename = "#p")]
    keys: Vec<String>,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    kind: u16,
    tags: Vec<Vec<String>>,
}

/// How the relay treats its clients.
#[derive(Clone)]
pub(crate) struct Manners {
    /// … on one connection.
    pub(crate) max_subscriptions: usize,
    /// Learns what happens at the relay.
    pub(crate) witness: Option<Arc<dyn Witness>>,
}

/// Learns what happens at a relay.
pub(crate) trait Witness: Send + Sync {
    /// Somebody has subscribed, under this name.
    fn subscribed(&self, name: &str, outbox: &Outbox);

    /// An event of this kind was published.
    fn published(&self, id: &str, kind: u16);
}

/// Serves all connections. Closes them when this is dropped.
pub(crate) async fn serve(listener: TcpListener, manners: Manners) -> Result<()> {
    let subscribers = Subscribers::default();
    let mut connections = JoinSet::new();
    for connection in 0.. {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(serve_one(stream, connection, Arc::clone(&subscribers), manners.clone()));
        while connections.try_join_next().is_some() {}
    }
    Ok(())
}

async fn serve_one(stream: TcpStream, connection: u64, subscribers: Subscribers, manners: Manners) {
    let Ok(socket) = accept_async(stream).await else { return };
    let (sink, mut frames) = socket.split();
    let (outbox, waiting) = mpsc::unbounded_channel();
    let _writing = AbortOnDropHandle::new(tokio::spawn(write(sink, waiting)));
    let mut open: Vec<String> = Vec::new();
    while let Some(Ok(frame)) = frames.next().await {
        let Message::Text(text) = frame else { continue };
        let answer = if let Some(event) = text.strip_prefix(r#"["EVENT","#) {
            pass_on(event.strip_suffix(']').unwrap_or(event), &subscribers, manners.witness.as_deref())
        } else {
            subscribe(&text, connection, &outbox, &subscribers, &mut open, &manners)
        };
        if let Some(answer) = answer {
            let _ = outbox.send(Message::text(answer));
        }
    }
    forget(&subscribers, |subscription| subscription.connection == connection);
}

/// Sends what waits, all of it with one flush.
async fn write(
    mut sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    mut waiting: mpsc::UnboundedReceiver<Message>,
) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, 256).await > 0 {
        for message in batch.drain(..) {
            if sink.feed(message).await.is_err() {
                return;
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

/// Hands an event to those who asked for it; returns the relay's word on it.
fn pass_on(event: &str, subscribers: &Subscribers, witness: Option<&dyn Witness>) -> Option<String> {
    let head: Head = serde_json::from_str(event).ok()?;
    if let Some(witness) = witness {
        witness.published(&head.id, head.kind);
    }
    let subscribers = subscribers.lock().unwrap_or_else(PoisonError::into_inner);
    let named = head.tags.iter().filter(|tag| tag.first().is_some_and(|name| name == "p"));
    for subscription in named.filter_map(|tag| subscribers.get(tag.get(1)?)).flatten() {
        if subscription.kinds.contains(&head.kind) {
            let frame = format!(r#"["EVENT","{}",{event}]"#, subscription.id);
            let _ = subscription.outbox.send(Message::text(frame));
        }
    }
    Some(format!(r#"["OK","{}",true,""]"#, head.id))
}

/// `REQ` and `CLOSE`.
fn subscribe(
    frame: &str,
    connection: u64,
    outbox: &Outbox,
    subscribers: &Subscribers,
    open: &mut Vec<String>,
    manners: &Manners,
) -> Option<String> {
    let message: Vec<Value> = serde_json::from_str(frame).ok()?;
    let id = message.get(1)?.as_str()?.to_owned();
    forget(subscribers, |subscription| subscription.connection == connection && subscription.id == id);
    open.retain(|other| *other != id);
    if message.first()?.as_str()? != "REQ" {
        return None;
    }
    if open.len() >= manners.max_subscriptions {
        return Some(format!(r#"["CLOSED","{id}","error: too many subscriptions"]"#));
    }
    for filter in message.into_iter().skip(2) {
        let Filter { kinds, keys } = serde_json::from_value(filter).ok()?;
        let mut subscribers = subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(witness) = &manners.witness {
            witness.subscribed(&id, outbox);
        }
        for key in keys {
            let subscription =
                Subscription { connection, id: id.clone(), kinds: kinds.clone(), outbox: outbox.clone() };
            subscribers.entry(key).or_default().push(subscription);
        }
    }
    let answer = format!(r#"["EOSE","{id}"]"#);
    open.push(id);
    Some(answer)
}

fn forget(subscribers: &Subscribers, is_over: impl Fn(&Subscription) -> bool) {
    let mut subscribers = subscribers.lock().unwrap_or_else(PoisonError::into_inner);
    subscribers.retain(|_, subscriptions| {
        subscriptions.retain(|subscription| !is_over(subscription));
        !subscriptions.is_empty()
    });
}
