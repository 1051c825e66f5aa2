//! One connection to the tested relay.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use nostr_sdk::prelude::{
    ClientMessage, Event, EventBuilder, EventId, Filter, JsonUtil, Keys, Kind, MachineReadablePrefix,
    PublicKey, RelayUrl, SubscriptionId,
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::Problem;
use crate::relay::dial::{Socket, Terms, dial};
use crate::relay::error::LinkError;
use crate::relay::frame::{self, Frame};
use crate::relay::health::Origin;
use crate::relay::listen::shortened;
use crate::relay::pace::Pace;
use crate::relay::raw;
use crate::tls::Tls;

/// What the relay sent. Reasons and notices are shortened.
pub(super) enum Said {
    Event(Box<Event>),
    Eose(String),
    Closed(Option<String>, String),
    Verdict { id: String, accepted: bool, reason: String },
    Notice(String),
}

pub(super) struct Caller {
    socket: Socket,
    relay: RelayUrl,
    keys: Keys,
    /// The event of the last login.
    login: Option<EventId>,
    login_refused: Option<String>,
    last_notice: Option<String>,
}

impl Caller {
    pub(super) async fn connect(relay: &RelayUrl, patience: Duration, tls: &Tls) -> Result<Self, Problem> {
        let terms = Terms::of(Origin::Operator, false, Pace::default());
        let dialled = tokio::time::timeout(patience, dial(relay.into(), &terms, tls)).await;
        let socket = dialled.unwrap_or(Err(LinkError::TimedOut))?;
        Ok(Self {
            socket,
            relay: relay.clone(),
            keys: Keys::generate(),
            login: None,
            login_refused: None,
            last_notice: None,
        })
    }

    /// Logs in with these keys, if the relay asks for it.
    pub(super) fn with_keys(self, keys: &Keys) -> Self {
        Self { keys: keys.clone(), ..self }
    }

    pub(super) fn public_key(&self) -> PublicKey {
        self.keys.public_key()
    }

    /// Whether the relay asked for a login (NIP-42) and got one.
    pub(super) fn has_logged_in(&self) -> bool {
        self.login.is_some()
    }

    /// Why the relay refused our login, if it did.
    pub(super) fn login_refused(&self) -> Option<&str> {
        self.login_refused.as_deref()
    }

    /// This problem, or the refused login that explains it.
    pub(super) fn explained(&self, problem: Problem) -> Problem {
        self.login_refused().map_or(problem, |reason| Problem::LoginRefused(reason.to_owned()))
    }

    /// Subscribes to events of this kind for our key; returns how long the relay took to confirm.
    pub(super) async fn subscribe(&mut self, kind: Kind) -> Result<Duration, Problem> {
        let filter = Filter::new().kind(kind).pubkey(self.public_key());
        let id = SubscriptionId::generate();
        let begun = Instant::now();
        self.ask(&id, &filter).await?;
        loop {
            match self.hear().await? {
                Said::Eose(subscription) if subscription == id.as_str() => return Ok(begun.elapsed()),
                Said::Closed(subscription, reason)
                    if subscription.as_ref().is_none_or(|closed| closed == id.as_str())
                        && !wants_login(&reason) =>
                {
                    return Err(Problem::SubscriptionRefused(reason));
                }
                // The relay accepted the login: ask again for what it refused without one.
                Said::Verdict { accepted: true, .. } => self.ask(&id, &filter).await?,
                Said::Notice(text) => self.last_notice = Some(text),
                _ => {}
            }
        }
    }

    /// The relay's last notice.
    pub(super) fn last_notice(&self) -> Option<&str> {
        self.last_notice.as_deref()
    }

    /// Publishes, and keeps listening; returns only if publishing failed. (Some relays send no `OK` for
    /// ephemeral events.)
    pub(super) async fn publish(&mut self, event: &Event) -> Problem {
        match self.try_publish(event).await {
            Ok(never) => match never {},
            Err(problem) => problem,
        }
    }

    async fn try_publish(&mut self, event: &Event) -> Result<std::convert::Infallible, Problem> {
        self.say(&ClientMessage::event(event.clone())).await?;
        loop {
            if let Said::Verdict { id, accepted, reason } = self.hear().await? {
                match (id == event.id.to_hex(), accepted) {
                    (true, false) if !wants_login(&reason) => return Err(Problem::EventRefused(reason)),
                    (false, true) => self.say(&ClientMessage::event(event.clone())).await?,
                    _ => {}
                }
            }
        }
    }

    /// Resolves when exactly this event has arrived.
    pub(super) async fn expect(&mut self, event: &Event) -> Result<(), Problem> {
        loop {
            if let Said::Event(arrived) = self.hear().await?
                && arrived.id == event.id
            {
                return if *arrived == *event { Ok(()) } else { Err(Problem::Forged) };
            }
        }
    }

    pub(super) async fn ask(&mut self, id: &SubscriptionId, filter: &Filter) -> Result<(), Problem> {
        let filters = vec![Cow::Borrowed(filter)];
        self.say(&ClientMessage::Req { subscription_id: Cow::Borrowed(id), filters }).await
    }

    pub(super) async fn say(&mut self, message: &ClientMessage<'_>) -> Result<(), Problem> {
        self.socket.send(Message::text(message.as_json())).await.map_err(|_| Problem::HungUp)
    }

    /// The next message; requests for a login are answered on the way.
    pub(super) async fn hear(&mut self) -> Result<Said, Problem> {
        loop {
            let frame = self.socket.next().await.and_then(Result::ok).ok_or(Problem::HungUp)?;
            let Message::Text(text) = frame else { continue };
            return Ok(match frame::sniff(&text) {
                Frame::Auth { challenge } => {
                    self.log_in(&challenge).await?;
                    continue;
                }
                Frame::Event { .. } => match raw::read(&text) {
                    Some(event) => Said::Event(Box::new(event.into_unverified())),
                    None => continue,
                },
                Frame::Eose { subscription } => Said::Eose(subscription.into_owned()),
                Frame::Closed { subscription, reason } => {
                    Said::Closed(subscription.map(Cow::into_owned), shortened(&reason))
                }
                Frame::Ok { id, accepted: false, reason } if self.is_login(&id) => {
                    self.login_refused = Some(shortened(&reason));
                    continue;
                }
                Frame::Ok { id, accepted, reason } => {
                    Said::Verdict { id: id.to_ascii_lowercase(), accepted, reason: shortened(&reason) }
                }
                Frame::Notice { text } => Said::Notice(shortened(&text)),
                Frame::Unknown => continue,
            });
        }
    }

    fn is_login(&self, id: &str) -> bool {
        self.login.is_some() && self.login == EventId::from_hex(id).ok()
    }

    async fn log_in(&mut self, challenge: &str) -> Result<(), Problem> {
        let login = EventBuilder::auth(challenge, self.relay.clone());
        let login = login.sign_with_keys(&self.keys).map_err(|_| Problem::HungUp)?;
        self.login = Some(login.id);
        self.login_refused = None;
        self.say(&ClientMessage::auth(login)).await
    }
}

pub(super) fn wants_login(reason: &str) -> bool {
    MachineReadablePrefix::parse(reason) == Some(MachineReadablePrefix::AuthRequired)
}
