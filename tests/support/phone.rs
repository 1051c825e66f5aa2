//! A phone with a wallet on it, moved by hand: each step is a call, so that a test can take the wrong one.

use std::collections::HashSet;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use nostr_sdk::prelude::{ClientMessage, EventBuilder, Filter, RelayMessage, SubscriptionId, Tag};
use nostr_sdk::{Event, EventId, JsonUtil, Keys, Kind, PublicKey, RelayUrl};
use portico::portal_token::{self, SigningKey};
use portico::protocol::{
    AuthChallenge, AuthResponse, AuthStatus, Content, HandshakeUrl, KeyHandshake, Message as Portal,
    Permission, Sealer, SessionToken, SubkeyMetadata, SubkeyProof, derive_secret, kind,
};
use rand::rngs::OsRng;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};
use tokio_util::task::AbortOnDropHandle;

use super::ca::Ca;
use super::{now, soon};

/// What a wallet app gives its tokens: 168 hours.
const TOKEN_LIFETIME: u64 = 168 * 3600;

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A phone. It is on no relay until it connects or scans.
pub(crate) struct Phone {
    keys: Keys,
    sealer: Sealer,
    /// Set where the phone runs on a subkey.
    proof: Option<SubkeyProof>,
    lines: Vec<Line>,
    events: mpsc::UnboundedReceiver<Event>,
    heard: mpsc::UnboundedSender<Event>,
    seen: HashSet<EventId>,
    prompts: HashSet<String>,
    /// Whom it trusts on `wss`, if it is not as all do.
    connector: Option<Connector>,
}

/// A connection to a relay, which ends with this.
struct Line {
    sink: SplitSink<WebSocket, Message>,
    _listening: AbortOnDropHandle<()>,
}

/// A challenge that the phone could read.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The event that it came in.
    pub(crate) event: Event,
    /// What it says.
    pub(crate) challenge: AuthChallenge,
}

impl Phone {
    /// A phone with a new wallet.
    pub(crate) fn new() -> Self {
        Self::with(Keys::generate(), None)
    }

    /// A phone whose wallet runs on a subkey of `main`.
    pub(crate) fn on_subkey_of(main: &Keys) -> Self {
        Self::on_subkey(main, |_| {})
    }

    /// A phone whose wallet runs on a subkey of `main` that was derived with other metadata than usual.
    pub(crate) fn on_subkey(main: &Keys, change: impl FnOnce(&mut SubkeyMetadata)) -> Self {
        let mut metadata = SubkeyMetadata {
            name: "phone".to_owned().try_into().unwrap(),
            nonce: rand::random(),
            valid_from: 0,
            expires_at: now() + 24 * 3600,
            permissions: vec![Permission::Auth],
            version: 1,
        };
        change(&mut metadata);
        let secret = derive_secret(main.secret_key(), &metadata).unwrap();
        Self::with(Keys::new(secret), Some(SubkeyProof { main_key: main.public_key(), metadata }))
    }

    pub(crate) fn with(keys: Keys, proof: Option<SubkeyProof>) -> Self {
        let (heard, events) = mpsc::unbounded_channel();
        let sealer = Sealer::new(keys.clone(), 8);
        let (seen, prompts) = (HashSet::new(), HashSet::new());
        Self { keys, sealer, proof, lines: Vec::new(), events, heard, seen, prompts, connector: None }
    }

    /// … which trusts this authority.
    pub(crate) fn trusting(mut self, ca: &Ca) -> Self {
        self.connector = Some(ca.connector());
        self
    }

    /// The wallet's keys.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The wallet's key.
    pub(crate) fn key(&self) -> PublicKey {
        self.keys.public_key()
    }

    /// The proof that it shows, where it runs on a subkey.
    pub(crate) fn proof(&self) -> &SubkeyProof {
        self.proof.as_ref().expect("it runs on a subkey")
    }

    /// How many different challenges its user was shown.
    pub(crate) fn prompts(&self) -> usize {
        self.prompts.len()
    }

    /// Connects to a relay and subscribes to what is for this wallet, its main key included.
    pub(crate) async fn connect(&mut self, relay: &RelayUrl) {
        let keys = self.proof.iter().map(|proof| proof.main_key).chain([self.key()]);
        let filter = Filter::new().kinds([kind::AUTH_CHALLENGE, kind::SUBKEY_PROOF]).pubkeys(keys);
        let connector = self.connector.clone();
        let connecting = connect_async_tls_with_config(relay.to_string(), None, true, connector);
        let (socket, _) = soon("the phone's connection", connecting).await.unwrap();
        let (mut sink, mut stream) = socket.split();
        let request = ClientMessage::req(SubscriptionId::new("phone"), filter);
        sink.send(Message::text(request.as_json())).await.unwrap();
        soon("the phone's subscription", until_subscribed(&mut stream)).await;
        let heard = self.heard.clone();
        let listening = tokio::spawn(async move {
            while let Some(message) = next(&mut stream).await {
                if let RelayMessage::Event { event, .. } = message {
                    let _ = heard.send(event.into_owned());
                }
            }
        });
        self.lines.push(Line { sink, _listening: AbortOnDropHandle::new(listening) });
    }

    /// Scans a handshake URL: connects to its relays and says hello. Returns the event that it sent.
    pub(crate) async fn scan(&mut self, url: &str) -> Event {
        self.scan_preferring(url, &[]).await
    }

    /// Scans a handshake URL and names relays that it would like to be talked to on.
    pub(crate) async fn scan_preferring(&mut self, url: &str, preferred: &[&str]) -> Event {
        let url: HandshakeUrl = url.parse().unwrap();
        self.say_hello(&url, &url.token, preferred).await
    }

    /// Scans a handshake URL, and sends this in place of the token that it reads there.
    pub(crate) async fn scan_as(&mut self, url: &str, token: &str) -> Event {
        self.say_hello(&url.parse().unwrap(), token, &[]).await
    }

    async fn say_hello(&mut self, url: &HandshakeUrl, token: &str, preferred: &[&str]) -> Event {
        if self.lines.is_empty() {
            for relay in &url.relays {
                self.connect(&relay.parse().unwrap()).await;
            }
        }
        let message = KeyHandshake {
            token: token.to_owned(),
            client_info: None,
            preferred_relays: preferred.iter().map(ToString::to_string).collect(),
        };
        let event = self.sealed(&url.subkey.unwrap_or(url.main_key), None, &message);
        self.send(&event).await;
        event
    }

    /// The next challenge that it has not seen yet and can read. It comes in time.
    pub(crate) async fn challenge(&mut self) -> Asked {
        let asked = self.question().await;
        assert!(asked.challenge.expires_at > now(), "it has not expired");
        asked
    }

    /// The same, late or not.
    pub(crate) async fn question(&mut self) -> Asked {
        loop {
            let event = self.message().await;
            match self.sealer.open(&event).map(|opened| opened.message) {
                Ok(Portal::AuthChallenge(challenge)) => {
                    self.prompts.insert(challenge.challenge.clone());
                    return Asked { event, challenge };
                }
                Ok(other) => panic!("not a challenge: {other:?}"),
                Err(_) => {}
            }
        }
    }

    /// The next message to this wallet, or to its main key, that it has not seen yet.
    pub(crate) async fn message(&mut self) -> Event {
        soon("a message to the phone", async {
            loop {
                let event = self.events.recv().await.expect("the phone is connected");
                if self.seen.insert(event.id) {
                    event.verify().expect("the daemon signs what it sends");
                    return event;
                }
            }
        })
        .await
    }

    /// Takes in what has come so far; how many messages were new.
    pub(crate) fn new_messages(&mut self) -> usize {
        let mut new = 0;
        while let Ok(event) = self.events.try_recv() {
            new += usize::from(self.seen.insert(event.id));
        }
        new
    }

    /// Approves, with a token as wallet apps make them.
    pub(crate) async fn approve(&mut self, asked: &Asked) -> Event {
        self.approve_with(asked, self.token_for(&asked.event.pubkey)).await
    }

    /// Approves with this token.
    pub(crate) async fn approve_with(&mut self, asked: &Asked, token: String) -> Event {
        let event = self.answer(asked, &asked.challenge.challenge, approved(token));
        self.send(&event).await;
        event
    }

    /// Declines.
    pub(crate) async fn decline(&mut self, asked: &Asked, reason: Option<&str>) -> Event {
        let status = AuthStatus::Declined { reason: reason.map(str::to_owned) };
        let event = self.answer(asked, &asked.challenge.challenge, status);
        self.send(&event).await;
        event
    }

    /// An answer to the service that asked, about any challenge.
    pub(crate) fn answer(&self, asked: &Asked, challenge: &str, status: AuthStatus) -> Event {
        let subkey_proof = self.proof.clone();
        let response = AuthResponse { challenge: challenge.to_owned(), subkey_proof, status };
        self.sealed(&asked.event.pubkey, None, &response)
    }

    /// Shows a proof to the author of a message that it could not read.
    pub(crate) async fn prove(&mut self, unread: &Event, proof: &SubkeyProof) {
        let event = self.sealed(&unread.pubkey, Some(unread.id), proof);
        self.send(&event).await;
    }

    /// A token as wallet apps make them.
    pub(crate) fn token_for(&self, service: &PublicKey) -> String {
        self.token(service, now(), TOKEN_LIFETIME)
    }

    /// A token of this wallet with any times, in seconds.
    pub(crate) fn token(&self, service: &PublicKey, issued_at: u64, lifetime: u64) -> String {
        let key = SigningKey::from_secret(self.keys.secret_key());
        portal_token::issue(&key, service.as_bytes(), issued_at, lifetime)
    }

    /// A message that only `to` can read.
    pub(crate) fn sealed<M: Content>(&self, to: &PublicKey, answers: Option<EventId>, message: &M) -> Event {
        self.sealer.seal(&mut OsRng, to, &[*to], answers, message, now()).unwrap()
    }

    /// An event that anybody can read.
    pub(crate) fn plain(&self, kind: Kind, to: &PublicKey, content: &str) -> Event {
        let builder = EventBuilder::new(kind, content).tag(Tag::public_key(*to));
        builder.sign_with_keys(&self.keys).unwrap()
    }

    /// Sends an event to all relays that the phone is connected to.
    pub(crate) async fn send(&mut self, event: &Event) {
        let frame = ClientMessage::event(event.clone()).as_json();
        for line in &mut self.lines {
            // A relay may be down; the others get it.
            let _ = soon("the relay to take an event", line.sink.send(Message::text(frame.clone()))).await;
        }
    }

    /// Hangs up on all relays.
    pub(crate) fn disconnect(&mut self) {
        self.lines.clear();
    }
}

/// The wallet's yes, with this token.
pub(crate) fn approved(token: String) -> AuthStatus {
    AuthStatus::Approved { granted_permissions: Vec::new(), session_token: SessionToken::new(token) }
}

async fn until_subscribed(stream: &mut SplitStream<WebSocket>) {
    loop {
        match next(stream).await.expect("the relay lives") {
            RelayMessage::EndOfStoredEvents(_) => return,
            RelayMessage::Closed { message, .. } => panic!("no subscription: {message}"),
            _ => {}
        }
    }
}

/// The next message of a relay; `None`: it is gone.
async fn next(stream: &mut SplitStream<WebSocket>) -> Option<RelayMessage<'static>> {
    loop {
        match stream.next().await?.ok()? {
            Message::Text(text) => return RelayMessage::from_json(text.as_str()).ok(),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}
