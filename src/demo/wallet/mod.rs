//! A simulated Portal wallet: it does what the app on a phone does.
//!
//! It listens on relays (`link.rs`), decides its reaction to events (`mind.rs`), and sends its
//! [`WalletAnswer`] (`answer.rs`).

mod answer;
mod builder;
mod link;
mod mind;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nostr_sdk::pool::RelayOptions;
use nostr_sdk::{Client, ClientMessage, Event, Filter, Keys, PublicKey, RelayUrl, client};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use answer::{ChallengeSeen, Custom, WalletAnswer, WalletReply, seal_answer};
pub use builder::WalletBuilder;

use crate::protocol::{ClientInfo, HandshakeUrl, KeyHandshake, SealError, kind};
use crate::shown;
use link::Link;
use mind::{Mind, Reaction};

/// How long the first relay may take to subscribe us.
const FIRST_RELAY: Duration = Duration::from_secs(10);

/// How long the others may take once the first has.
const OTHER_RELAYS: Duration = Duration::from_secs(1);

/// How soon a lost connection is made again.
const RECONNECT: Duration = Duration::from_secs(1);

/// Challenges that wait for [`Wallet::next_challenge`]; what comes after is counted and answered, not kept.
const KEPT_CHALLENGES: usize = 256;

/// Why a wallet could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// A relay has no usable URL.
    #[error("not a relay: {0}")]
    BadRelay(String),
    /// The handshake URL, or the list, names no relay.
    #[error("no relay is named")]
    NoRelay,
    /// No relay has subscribed the wallet in time.
    #[error("no relay answers")]
    Unreachable,
    /// The client refused a relay.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// The handshake cannot be sealed: its key is not one.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// A wallet that runs. It stops when it is dropped.
#[derive(Debug)]
pub struct Wallet {
    core: Arc<Core>,
    challenges: Mutex<mpsc::Receiver<ChallengeSeen>>,
    preferred_relays: Option<Vec<String>>,
    _stop_on_drop: DropGuard,
}

/// What the wallet shares with its tasks.
#[derive(Debug)]
struct Core {
    mind: Mind,
    client: Client,
    links: Mutex<HashMap<RelayUrl, Link>>,
    delay: Duration,
    seen: mpsc::Sender<ChallengeSeen>,
    stop: CancellationToken,
}

impl Wallet {
    /// A wallet with these keys: the user's, or with [`WalletBuilder::on_subkey`] a subkey's.
    #[expect(clippy::new_ret_no_self, reason = "it reads as what it makes")]
    pub fn new(keys: Keys) -> WalletBuilder {
        WalletBuilder::new(keys)
    }

    fn start(mind: Mind, delay: Duration, preferred_relays: Option<Vec<String>>) -> Self {
        let client = Client::builder().signer(mind.keys.clone()).build();
        let (seen, challenges) = mpsc::channel(KEPT_CHALLENGES);
        let stop = CancellationToken::new();
        let _stop_on_drop = stop.clone().drop_guard();
        let core = Core { mind, client, links: Mutex::default(), delay, seen, stop };
        Self { core: Arc::new(core), challenges: challenges.into(), preferred_relays, _stop_on_drop }
    }

    /// Scans a handshake URL: listens on its relays, then tells the service that it did.
    ///
    /// # Errors
    ///
    /// [`WalletError`].
    pub async fn scan(&self, url: &HandshakeUrl) -> Result<(), WalletError> {
        let relays: Vec<RelayUrl> = url.relays.iter().map(|url| parse(url)).collect::<Result<_, _>>()?;
        self.listen(&relays).await?;
        let handshake = KeyHandshake {
            token: url.token.clone(),
            client_info: Some(ClientInfo {
                name: "Portico demo".into(),
                version: crate::api::VERSION.into(),
            }),
            preferred_relays: self.preferred_relays.clone().unwrap_or_else(|| url.relays.clone()),
        };
        let event = self.core.mind.handshake(&url.subkey.unwrap_or(url.main_key), &handshake)?;
        self.core.send(&[event]).await;
        Ok(())
    }

    /// Listens on relays without a scan, like the wallet of a user whom the service knows.
    /// Returns once subscribed on the first of them, and on the others unless they take long.
    ///
    /// # Errors
    ///
    /// All of [`WalletError`] but `Seal`.
    pub async fn listen(&self, relays: &[RelayUrl]) -> Result<(), WalletError> {
        let mut ready = Vec::with_capacity(relays.len());
        for url in relays {
            ready.push(self.core.link(url).await?);
        }
        if ready.is_empty() {
            return Err(WalletError::NoRelay);
        }
        let mut waiting: FuturesUnordered<_> =
            ready.iter_mut().map(|ready| async { ready.wait_for(|ready| *ready).await.is_ok() }).collect();
        let mut deadline = Instant::now() + FIRST_RELAY;
        let mut subscribed = false;
        while let Ok(Some(is_ready)) = timeout_at(deadline, waiting.next()).await {
            if is_ready && !subscribed {
                subscribed = true;
                deadline = Instant::now() + OTHER_RELAYS;
            }
        }
        if subscribed { Ok(()) } else { Err(WalletError::Unreachable) }
    }

    /// Answers otherwise from now on.
    pub fn answer_with(&self, answer: WalletAnswer) {
        *self.core.mind.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// The answer of its user to the next challenge.
    pub fn answer(&self) -> WalletAnswer {
        self.core.mind.answer()
    }

    /// The key that it signs with.
    pub fn public_key(&self) -> PublicKey {
        self.core.mind.keys.public_key()
    }

    /// The key that its user is known by: the main key.
    pub fn user_key(&self) -> PublicKey {
        self.core.mind.user_key()
    }

    /// How many challenges have reached its user; one that comes twice, or as two events, counts once.
    pub fn challenges_seen(&self) -> usize {
        self.core.mind.challenges_seen()
    }

    /// The next challenge that reaches its user, in the order in which they come.
    pub async fn next_challenge(&self) -> ChallengeSeen {
        match self.challenges.lock().await.recv().await {
            Some(seen) => seen,
            // The core holds the sender, and we hold the core.
            None => std::future::pending().await,
        }
    }

    /// Disconnects; answers that are not sent yet are not sent.
    pub async fn shutdown(self) {
        self.core.stop.cancel();
        self.core.client.shutdown().await;
    }
}

impl Core {
    /// Connects to a relay, unless that was done before; says when it has subscribed us.
    async fn link(self: &Arc<Self>, url: &RelayUrl) -> Result<watch::Receiver<bool>, WalletError> {
        let mut links = self.links.lock().await;
        if let Some(link) = links.get(url) {
            return Ok(link.ready.clone());
        }
        let options = RelayOptions::new().retry_interval(RECONNECT).adjust_retry_interval(false);
        let pool = self.client.pool();
        pool.add_relay(url, options).await.map_err(client::Error::from)?;
        let relay = pool.relay(url).await.map_err(client::Error::from)?;
        let (ready_tx, ready) = watch::channel(false);
        // Before connecting, so that no change is missed.
        let notifications = relay.notifications();
        let core = Arc::downgrade(self);
        let heard = Arc::new(move |event: Event| {
            if let Some(core) = core.upgrade() {
                core.hear(&event);
            }
        });
        let following = link::follow(relay.clone(), notifications, self.filter(), ready_tx, heard);
        let stop = self.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(following).await });
        relay.connect();
        links.insert(url.clone(), Link { relay, ready: ready.clone() });
        Ok(ready)
    }

    /// What wallets ask relays for: challenges that concern their user or their own key.
    fn filter(&self) -> Filter {
        Filter::new().kind(kind::AUTH_CHALLENGE).pubkeys([self.mind.user_key(), self.mind.keys.public_key()])
    }

    fn hear(self: &Arc<Self>, event: &Event) {
        match self.mind.hear(event) {
            Reaction::Nothing => {}
            Reaction::Prove(proof) => self.spawn(|core| async move { core.send(&[*proof]).await }),
            Reaction::Ask(seen) => {
                // As it is at this moment: later it may be meant for another question.
                let answer = self.mind.answer();
                // Full: nobody takes them, and it is counted anyway.
                let _ = self.seen.try_send((*seen).clone());
                self.spawn(|core| async move { core.answer(&seen, answer).await });
            }
        }
    }

    async fn answer(&self, seen: &ChallengeSeen, answer: WalletAnswer) {
        let thinks = if let WalletAnswer::After(delay, _) = &answer { *delay } else { Duration::ZERO };
        tokio::time::sleep(self.delay + thinks).await;
        match self.mind.reply(seen, answer) {
            Ok(events) => self.send(&events).await,
            Err(error) => tracing::warn!(%error, "the wallet cannot answer"),
        }
    }

    /// Sends to every relay that is connected. Nothing is waited for: some relays never say that they took
    /// an ephemeral event.
    async fn send(&self, events: &[Event]) {
        for link in self.links.lock().await.values().filter(|link| link.relay.is_connected()) {
            for event in events {
                // An error: the connection has just gone. A wallet does not try again.
                let _ = link.relay.send_msg(ClientMessage::event(event.clone()));
            }
        }
    }

    /// Runs a task that must not delay further events of the relay.
    fn spawn<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, task: impl FnOnce(Arc<Self>) -> F) {
        let (task, stop) = (task(Arc::clone(self)), self.stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled(task).await });
    }
}

fn parse(url: &str) -> Result<RelayUrl, WalletError> {
    RelayUrl::parse(url).map_err(|_| WalletError::BadRelay(shown::refused(url)))
}
