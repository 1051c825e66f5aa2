//! Callers and users: each does one thing after another, chosen by chance.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{Keys, RelayUrl};
use portico::demo::wallet::{Wallet, WalletAnswer};
use portico::protocol::HandshakeUrl;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::Result;
use crate::daemon::Daemon;
use crate::follow::Follow;
use crate::http::{Connection, request};
use crate::ledger::Ledger;
use crate::socket::Address;

/// After a request that nobody answered, so long until the next.
const AGAIN: Duration = Duration::from_millis(50);

/// What callers share.
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) stop: CancellationToken,
    socket: PathBuf,
    service: String,
}

impl World {
    pub(crate) async fn new(daemon: &Daemon, ledger: Ledger) -> Result<Self> {
        let service = daemon.service().await?;
        Ok(Self { ledger, stop: CancellationToken::new(), socket: daemon.socket.clone(), service })
    }

    /// One caller, until it is over.
    pub(crate) async fn act(self: Arc<Self>, mut rng: StdRng) {
        while !self.stop.is_cancelled() {
            let answer = match rng.gen_range(0..10) {
                0..7 => WalletAnswer::Approve,
                7..9 => WalletAnswer::Decline(None),
                _ => WalletAnswer::Ignore,
            };
            let done = match rng.gen_range(0..20) {
                0..9 => self.log_in(answer, &mut rng).await,
                9..14 => self.authenticate(answer, &mut rng).await,
                14..17 => self.scan_the_wall(answer).await,
                17..19 => self.tokens().await,
                _ => self.take_back().await,
            };
            // The daemon died under it, or was not there.
            if done.is_err() {
                self.ledger.unanswered();
                sleep(AGAIN).await;
            }
        }
    }

    /// Sends a request. `None`: it was refused for now.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Option<(u16, Value)>> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut connection = Connection::open(Address::Unix(&self.socket)).await?;
        let (status, body) = connection.exchange(&request(method, path, "", &body)).await?;
        let answer: Value = serde_json::from_slice(&body)?;
        match status {
            // The store is locked, or the daemon is stopping.
            503 => {
                self.ledger.refused();
                sleep(AGAIN).await;
                return Ok(None);
            }
            500 => self.ledger.wrong(format!("{method} {path}: {answer}")),
            _ => {}
        }
        Ok(Some((status, answer)))
    }

    /// Opens something that has to end.
    async fn open(&self, path: &str, body: Value) -> Result<Option<(Value, String)>> {
        let Some((status, mut answer)) = self.ask("POST", path, body).await? else { return Ok(None) };
        let data = answer["data"].take();
        let Some(stream) = data["stream_id"].as_str().map(str::to_owned).filter(|_| status == 201) else {
            self.ledger.wrong(format!("POST {path}: {status} {answer}"));
            return Ok(None);
        };
        self.ledger.accepted(&stream);
        Ok(Some((data, stream)))
    }

    async fn log_in(&self, answer: WalletAnswer, rng: &mut StdRng) -> Result<()> {
        let Some((data, stream)) = self.open("/login", json!({})).await? else { return Ok(()) };
        let wallet = Wallet::new(Keys::generate()).answering(answer).connect();
        let url: HandshakeUrl = data["url"].as_str().unwrap_or_default().parse()?;
        // Relays may be down: then the request ends by its deadline.
        let _ = wallet.scan(&url).await;
        self.follow_to_the_end(&stream, rng).await;
        wallet.shutdown().await;
        Ok(())
    }

    async fn authenticate(&self, answer: WalletAnswer, rng: &mut StdRng) -> Result<()> {
        let Some((_, listed)) = self.ask("GET", "/relays", Value::Null).await? else { return Ok(()) };
        let relays = listed["data"]["relays"].as_array().into_iter().flatten();
        let relays: Vec<RelayUrl> =
            relays.filter_map(|relay| relay["relay"].as_str()?.parse().ok()).collect();
        let wallet = Wallet::new(Keys::generate()).answering(answer).connect();
        let _ = wallet.listen(&relays).await;
        let body = json!({ "main_key": wallet.user_key() });
        if let Some((_, stream)) = self.open("/authenticate-key", body).await? {
            self.follow_to_the_end(&stream, rng).await;
        }
        wallet.shutdown().await;
        Ok(())
    }

    /// A URL that serves everybody. It has no end of its own.
    async fn scan_the_wall(&self, answer: WalletAnswer) -> Result<()> {
        let body = json!({ "static_token": "wall" });
        let Some((_, opened)) = self.ask("POST", "/login", body).await? else { return Ok(()) };
        let url: HandshakeUrl = opened["data"]["url"].as_str().unwrap_or_default().parse()?;
        let wallet = Wallet::new(Keys::generate()).answering(answer).connect();
        let _ = wallet.scan(&url).await;
        // The challenge need not arrive, because the daemon may be killed in between.
        let _ = timeout(Duration::from_secs(2), wallet.next_challenge()).await;
        wallet.shutdown().await;
        Ok(())
    }

    async fn tokens(&self) -> Result<()> {
        let user = Keys::generate().public_key();
        let body = json!({ "target_key": user, "duration_hours": 1 });
        let Some((_, issued)) = self.ask("POST", "/jwt/issue", body).await? else { return Ok(()) };
        let token = &issued["data"]["token"];
        let question = json!({ "pubkey": self.service, "token": token });
        let Some((_, verified)) = self.ask("POST", "/jwt/verify", question.clone()).await? else {
            return Ok(());
        };
        if verified["data"]["target_key"] != json!(user) {
            self.ledger.wrong(format!("a token does not verify: {verified}"));
        }
        let Some((200, _)) = self.ask("POST", "/jwt/revoke", json!({ "token": token })).await? else {
            return Ok(());
        };
        self.ledger.revoked();
        if let Some((_, verified)) = self.ask("POST", "/jwt/verify", question).await?
            && verified["code"] != "token_revoked"
        {
            self.ledger.wrong(format!("a revoked token verifies: {verified}"));
        }
        Ok(())
    }

    async fn take_back(&self) -> Result<()> {
        let Some((_, stream)) = self.open("/key-handshake", json!({})).await? else { return Ok(()) };
        self.ask("DELETE", &format!("/key-handshake/{stream}"), Value::Null).await?;
        Ok(())
    }

    /// Follows a stream to its end, over any number of connections and restarts of the daemon. May disconnect in
    /// between.
    async fn follow_to_the_end(&self, stream: &str, rng: &mut StdRng) {
        let mut after = 0;
        loop {
            let how = [Follow::Poll, Follow::Sse, Follow::Ws][rng.gen_range(0..3)];
            let stays = if rng.gen_bool(0.2) { rng.gen_range(0..300) } else { 60_000 };
            let begin = after;
            let heard = |event: &Value| {
                if event["index"] != json!(after + 1) {
                    self.ledger.wrong(format!("{stream}: {} was told after {after}", event["index"]));
                }
                after += 1;
                self.ledger.saw(stream, event);
                Ok(is_outcome(event))
            };
            let following = async {
                let connection = Connection::open(Address::Unix(&self.socket)).await?;
                how.stream(connection, &self.socket, stream, begin, heard).await
            };
            match timeout(Duration::from_millis(stays), following).await {
                Ok(Ok(())) => return,
                Ok(Err(_)) => sleep(AGAIN).await,
                Err(_) => {}
            }
        }
    }

    /// Every stream that was accepted has ended, once; what of that is not so.
    pub(crate) async fn check_all(&self, patience: Duration) -> Result<Vec<String>> {
        let deadline = Instant::now() + patience;
        let mut trouble = Vec::new();
        for stream in self.ledger.streams() {
            loop {
                let page = self.ask("GET", &format!("/events/{stream}"), Value::Null).await?;
                let Some((200, page)) = page else {
                    trouble.push(format!("{stream} is gone"));
                    break;
                };
                let events = page["data"]["events"].as_array().cloned().unwrap_or_default();
                if page["data"]["ended"] == false && Instant::now() < deadline {
                    sleep(AGAIN).await;
                    continue;
                }
                events.iter().for_each(|event| self.ledger.saw(&stream, event));
                let outcomes: Vec<_> = events.iter().filter(|event| is_outcome(event)).collect();
                match (&outcomes[..], events.last()) {
                    ([outcome], Some(last)) if *outcome == last => self.ledger.ended(&name(last)),
                    _ => trouble.push(format!(
                        "{stream} has {} outcomes in {} events",
                        outcomes.len(),
                        events.len()
                    )),
                }
                break;
            }
        }
        Ok(trouble)
    }
}

fn is_outcome(event: &Value) -> bool {
    event["type"] != "key_handshake"
}

/// How a stream ended, in a word.
fn name(event: &Value) -> String {
    let word = if event["type"] == "error" { &event["code"] } else { &event["status"]["status"] };
    word.as_str().unwrap_or("nonsense").to_owned()
}
