//! A small Nostr relay (NIP-01) for tests, over real WebSockets, with faults to order.
//!
//! It forwards ephemeral events to its subscribers and stores the others, as relays do. It does not
//! verify events: it may be a hostile one.

mod faults;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use nostr_sdk::filter::MatchEventOptions;
use nostr_sdk::prelude::{
    ClientMessage, Event, EventId, Filter, JsonUtil, RelayMessage, RelayUrl, SubscriptionId, Timestamp,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::soon;

pub(crate) use faults::Faults;

/// Why a relay with [`Faults::requires_auth`] refuses.
const WHO: &str = "auth-required: who are you?";

/// The relay. It stops when it is dropped.
pub(crate) struct TestRelay {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

struct Shared {
    faults: Faults,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

/// What the relay has seen.
#[derive(Default)]
pub(crate) struct State {
    /// Events that are not ephemeral.
    pub(crate) stored: Vec<Event>,
    /// All events clients sent, repetitions included, in order.
    pub(crate) received: Vec<Event>,
    /// Connections made so far.
    pub(crate) connections_seen: u64,
    /// `REQ` messages so far.
    pub(crate) reqs_seen: u64,
    /// Of each, the connection, counted from 1, and the subscription.
    reqs: Vec<(u64, String)>,
    /// Logins accepted so far.
    pub(crate) logins: u64,
    /// The most subscriptions there were at a time on one connection.
    pub(crate) max_subscriptions_seen: usize,
    /// Events that are found too old from now on, whatever their age.
    pub(crate) expired: HashSet<EventId>,
    /// Frames of a flood that have gone out.
    pub(crate) flooded: u64,
    /// Under which subscription, and what.
    flood: Option<(SubscriptionId, Arc<[Message]>)>,
    clients: HashMap<u64, Client>,
}

struct Client {
    outgoing: mpsc::UnboundedSender<Message>,
    subscriptions: HashMap<SubscriptionId, Vec<Filter>>,
    logged_in: bool,
    flooded: watch::Sender<bool>,
    hang_up: CancellationToken,
}

impl State {
    /// Subscriptions open now, on all connections.
    pub(crate) fn subscriptions(&self) -> usize {
        self.clients.values().map(|client| client.subscriptions.len()).sum()
    }

    /// What was asked for on one connection, counted from 1: the subscription of each `REQ`.
    pub(crate) fn reqs_on(&self, connection: u64) -> Vec<&str> {
        self.reqs.iter().filter(|(on, _)| *on == connection).map(|(_, name)| &**name).collect()
    }

    /// How many `REQ` messages there were for a subscription of this name.
    pub(crate) fn reqs_for(&self, name: &str) -> usize {
        self.reqs.iter().filter(|(_, other)| other == name).count()
    }

    /// How often clients sent this event.
    pub(crate) fn times_received(&self, event: &Event) -> usize {
        self.received.iter().filter(|received| received.id == event.id).count()
    }
}

impl TestRelay {
    /// A relay without faults.
    pub(crate) async fn start() -> Self {
        Self::listen(Faults::default()).await
    }

    /// A relay with faults.
    pub(crate) fn with() -> Faults {
        Faults::default()
    }

    async fn listen(faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { faults, state: Mutex::default(), changed: watch::Sender::new(()) });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, Arc::clone(&shared))));
        Self { address, shared, stop }
    }

    /// Where it listens, also while it is stopped.
    pub(crate) fn url(&self) -> RelayUrl {
        format!("ws://{}", self.address).parse().expect("a relay URL")
    }

    /// The same, for what stands in front of it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has seen.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    /// Wait until what it has seen is as it should be.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl FnMut(&State) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        let waiting = async {
            while !is_so(&self.shared.lock()) {
                changed.changed().await.expect("the relay lives");
            }
        };
        soon(what, waiting).await;
    }

    /// Wait until so many subscriptions are open.
    pub(crate) async fn until_subscribed(&self, subscriptions: usize) {
        self.until("subscriptions", |state| state.subscriptions() == subscriptions).await;
    }

    /// Do with an event as if another client had sent it.
    pub(crate) fn publish(&self, event: &Event) {
        let mut state = self.shared.lock();
        forward(&mut state, event);
    }

    /// Send a frame to every subscriber as it is, but for `{sub}`, which becomes the subscription's id.
    pub(crate) fn inject(&self, frame: &str) {
        for client in self.shared.lock().clients.values() {
            for id in client.subscriptions.keys() {
                let frame = frame.replace("{sub}", &id.to_string());
                let _ = client.outgoing.send(Message::text(frame));
            }
        }
    }

    /// From now on send these frames, again and again, as fast as they are taken, to everybody who has a
    /// subscription of this name; what others publish goes between. No frames: that ends.
    pub(crate) fn flood(&self, subscription: &'static str, frames: impl IntoIterator<Item = String>) {
        self.flood_with(subscription, frames.into_iter().map(Message::text));
    }

    /// The same with messages of any kind.
    pub(crate) fn flood_with(&self, subscription: &'static str, frames: impl IntoIterator<Item = Message>) {
        let frames: Arc<[Message]> = frames.into_iter().collect();
        let (name, goes_on) = (SubscriptionId::new(subscription), !frames.is_empty());
        let mut state = self.shared.lock();
        for client in state.clients.values() {
            client.flooded.send_replace(goes_on && client.subscriptions.contains_key(&name));
        }
        state.flood = goes_on.then_some((name, frames));
    }

    /// Close every subscription, for this reason.
    pub(crate) fn send_closed(&self, reason: &str) {
        for client in self.shared.lock().clients.values_mut() {
            for (id, _) in client.subscriptions.drain() {
                let frame = self.shared.faults.spell(&RelayMessage::closed(id, reason)).expect("a frame");
                let _ = client.outgoing.send(Message::text(frame));
            }
        }
        self.shared.changed.send_replace(());
    }

    /// Close every subscription, by this frame as it is, but for `{sub}`, which becomes the subscription's id.
    pub(crate) fn close_by(&self, frame: &str) {
        for client in self.shared.lock().clients.values_mut() {
            for (id, _) in client.subscriptions.drain() {
                let _ = client.outgoing.send(Message::text(frame.replace("{sub}", id.as_str())));
            }
        }
        self.shared.changed.send_replace(());
    }

    /// Hang up on every client.
    pub(crate) fn close_all(&self) {
        for (_, client) in self.shared.lock().clients.drain() {
            client.hang_up.cancel();
        }
        self.shared.changed.send_replace(());
    }

    /// Hang up on every client, and let nobody in any more.
    pub(crate) fn stop(&mut self) {
        self.stop.cancel();
        self.close_all();
    }

    /// Listen again, on the same port. What was stored is still there.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        // The port is free as soon as the task that listened has been dropped.
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        self.stop = CancellationToken::new();
        let accepting = accept(listener, Arc::clone(&self.shared));
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(accepting));
    }
}

impl Drop for TestRelay {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // An assertion may fail while it looks; what comes after must not hide that.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

/// One connection, from its beginning to its end.
/// Whether the request asks for the information document of the relay (NIP-11).
async fn asks_for_information(stream: &TcpStream) -> bool {
    let mut head = [0; 2048];
    let read = stream.peek(&mut head).await.unwrap_or_default();
    String::from_utf8_lossy(&head[..read]).contains("application/nostr+json")
}

async fn inform(mut stream: TcpStream, faults: &Faults) {
    let Some(document) = faults.information else { return };
    let mut request = [0; 2048];
    let read = stream.read(&mut request).await.unwrap_or_default();
    let asks_plain = String::from_utf8_lossy(&request[..read]).contains("accept-encoding: identity\r\n");
    // Servers in the field compress unless they are asked not to.
    let coding = faults.coding.unwrap_or(if asks_plain { "identity" } else { "br" });
    let length = document.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {length}\r\n\r\n{document}"
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    if asks_for_information(&stream).await {
        return inform(stream, &shared.faults).await;
    }
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let (mut sink, mut stream) = socket.split();
    let (outgoing, mut to_send) = mpsc::unbounded_channel();
    let hang_up = CancellationToken::new();
    let (flooded, mut is_flooded) = watch::channel(false);
    let id = {
        let mut state = shared.lock();
        state.connections_seen += 1;
        let id = state.connections_seen;
        let subscriptions = HashMap::new();
        let client = Client { outgoing, subscriptions, logged_in: false, flooded, hang_up: hang_up.clone() };
        state.clients.insert(id, client);
        id
    };
    shared.changed.send_replace(());
    loop {
        let flooding = *is_flooded.borrow_and_update();
        let going = tokio::select! {
            biased;
            () = hang_up.cancelled() => ControlFlow::Break(()),
            Some(message) = to_send.recv() => match sink.send(message).await {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(frame))) => {
                    shared.hear(id, frame.as_str());
                    ControlFlow::Continue(())
                }
                Some(Ok(_)) => ControlFlow::Continue(()),
                Some(Err(_)) | None => ControlFlow::Break(()),
            },
            Ok(()) = is_flooded.changed() => ControlFlow::Continue(()),
            () = std::future::ready(()), if flooding => shared.pour(&mut sink).await,
        };
        if going.is_break() {
            break;
        }
    }
    shared.lock().clients.remove(&id);
    shared.changed.send_replace(());
}

impl Shared {
    /// The next wave of the flood.
    async fn pour(&self, sink: &mut SplitSink<WebSocketStream<TcpStream>, Message>) -> ControlFlow<()> {
        const WAVE: usize = 64;
        let (flood, begin) = {
            let state = self.lock();
            let Some((_, flood)) = &state.flood else { return ControlFlow::Continue(()) };
            (Arc::clone(flood), state.flooded as usize)
        };
        for frame in flood.iter().cycle().skip(begin % flood.len()).take(WAVE) {
            if sink.feed(frame.clone()).await.is_err() {
                return ControlFlow::Break(());
            }
        }
        if sink.flush().await.is_err() {
            return ControlFlow::Break(());
        }
        self.lock().flooded += WAVE as u64;
        self.changed.send_replace(());
        tokio::task::yield_now().await;
        ControlFlow::Continue(())
    }

    fn hear(&self, client: u64, frame: &str) {
        if let Ok(message) = ClientMessage::from_json(frame)
            && !self.faults.black_hole
        {
            let mut state = self.lock();
            let answers = self.answer(&mut state, client, message);
            if let Some(client) = state.clients.get(&client) {
                for frame in answers.iter().filter_map(|answer| self.faults.spell(answer)) {
                    let _ = client.outgoing.send(Message::text(frame));
                }
            }
        }
        self.changed.send_replace(());
    }

    fn answer(&self, state: &mut State, id: u64, message: ClientMessage<'_>) -> Vec<RelayMessage<'static>> {
        let State {
            clients,
            stored,
            received,
            reqs_seen,
            reqs,
            logins,
            max_subscriptions_seen,
            expired,
            flood,
            ..
        } = &mut *state;
        let Some(client) = clients.get_mut(&id) else { return Vec::new() };
        let locked_out = self.faults.requires_auth && !client.logged_in;
        match message {
            ClientMessage::Req { subscription_id, filters } => {
                *reqs_seen += 1;
                reqs.push((id, subscription_id.to_string()));
                let id = subscription_id.into_owned();
                let filters: Vec<Filter> = filters.into_iter().map(|filter| filter.into_owned()).collect();
                if locked_out {
                    return vec![RelayMessage::closed(id, WHO), RelayMessage::auth("who are you?")];
                }
                let is_new = !client.subscriptions.contains_key(&id);
                if is_new && self.faults.max_subs.is_some_and(|max| client.subscriptions.len() >= max) {
                    return vec![RelayMessage::closed(id, "error: too many subscriptions")];
                }
                let matching = stored.iter().filter(|event| is_wanted(&filters, event)).cloned();
                let mut answers: Vec<_> =
                    matching.map(|event| RelayMessage::event(id.clone(), event)).collect();
                answers.push(RelayMessage::eose(id.clone()));
                if flood.as_ref().is_some_and(|(name, _)| *name == id) {
                    client.flooded.send_replace(true);
                }
                client.subscriptions.insert(id, filters);
                *max_subscriptions_seen = (*max_subscriptions_seen).max(client.subscriptions.len());
                answers
            }
            ClientMessage::Close(id) => {
                client.subscriptions.remove(&*id);
                Vec::new()
            }
            ClientMessage::Auth(_) if self.faults.ignores_logins => Vec::new(),
            ClientMessage::Auth(event) if self.faults.refuses_logins.is_some() => {
                vec![RelayMessage::ok(event.id, false, self.faults.refuses_logins.unwrap_or_default())]
            }
            ClientMessage::Auth(event) => {
                client.logged_in = true;
                *logins += 1;
                vec![RelayMessage::ok(event.id, true, "")]
            }
            ClientMessage::Event(event) => {
                let event = event.into_owned();
                received.push(event.clone());
                if locked_out {
                    return vec![RelayMessage::ok(event.id, false, WHO), RelayMessage::auth("who are you?")];
                }
                let age = Timestamp::now().as_secs().saturating_sub(event.created_at.as_secs());
                let is_ephemeral = event.kind.is_ephemeral();
                let is_old = self.faults.refuses_older_than.is_some_and(|max| age > max);
                if is_ephemeral && (is_old || expired.contains(&event.id)) {
                    return vec![RelayMessage::ok(event.id, false, "invalid: ephemeral event expired")];
                }
                if !(is_ephemeral && self.faults.keeps_ephemeral) {
                    forward(state, &event);
                }
                if is_ephemeral && self.faults.no_ok_for_ephemeral {
                    return Vec::new();
                }
                vec![RelayMessage::ok(event.id, true, "")]
            }
            _ => Vec::new(),
        }
    }
}

/// To all who are subscribed to it, and into store unless it is ephemeral.
fn forward(state: &mut State, event: &Event) {
    for client in state.clients.values() {
        for (id, _) in client.subscriptions.iter().filter(|(_, filters)| is_wanted(filters, event)) {
            let _ = client.outgoing.send(text(&RelayMessage::event(id.clone(), event.clone())));
        }
    }
    if !event.kind.is_ephemeral() {
        state.stored.push(event.clone());
    }
}

fn is_wanted(filters: &[Filter], event: &Event) -> bool {
    filters.iter().any(|filter| filter.match_event(event, MatchEventOptions::new()))
}

fn text(message: &RelayMessage<'_>) -> Message {
    Message::text(message.as_json())
}
