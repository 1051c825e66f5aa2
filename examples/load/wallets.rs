//! All the wallets, in a process of their own: each with its key, fifty to a connection.
//!
//! Standard input has one line for each login, with the wallet and the URL: `<number> <portal://…> [<relay>…]`.

use std::collections::{HashMap, HashSet};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use nostr_sdk::{Event, EventId, JsonUtil, Keys, PublicKey};
use portico::portal_token::{self, SigningKey};
use portico::protocol::{
    AuthResponse, AuthStatus, HandshakeUrl, KeyHandshake, Message as Portal, Sealer, SessionToken, kind,
};
use rand::rngs::OsRng;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::Result;
use crate::args::Args;

/// Wallets that share a connection; a wallet more costs the relay little, a connection much.
const PER_CONNECTION: usize = 50;

/// The lifetime of the session tokens, as in the wallet app.
const LIFETIME_SECS: u64 = 168 * 3600;

/// The process of the wallets, seen from the one that measures.
pub(crate) struct Handle {
    _process: Child,
    scans: mpsc::UnboundedSender<String>,
    keys: Vec<String>,
    used: usize,
}

impl Handle {
    /// Starts the wallets and waits until they are subscribed.
    pub(crate) async fn start(args: &Args, relay: &str, service: &str) -> Result<Self> {
        let (logins, delay) = (args.logins.to_string(), args.wallet_delay_ms.to_string());
        let (asked, flood) = (args.asked.to_string(), args.flood.to_string());
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--role", "wallets", "--relay", relay, "--service", service])
            .args(["--logins", &logins, "--asked", &asked, "--flood", &flood, "--wallet-delay-ms", &delay])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no pipe from the wallets")?;
        let stdin = process.stdin.take().ok_or("no pipe to the wallets")?;
        let keys = BufReader::new(stdout).lines().next_line().await?.ok_or("the wallets did not come up")?;
        let keys = keys.split(' ').map(str::to_owned).collect();
        let (scans, waiting) = mpsc::unbounded_channel();
        tokio::spawn(tell(stdin, waiting));
        Ok(Self { _process: process, scans, keys, used: 0 })
    }

    /// A wallet that has not logged in yet.
    pub(crate) fn next(&mut self) -> usize {
        self.used += 1;
        self.used - 1
    }

    /// The keys of the next `count` wallets, which have not logged in yet.
    pub(crate) fn next_keys(&mut self, count: usize) -> Vec<String> {
        let keys = self.keys.iter().skip(self.used).take(count).cloned().collect();
        self.used += count;
        keys
    }

    /// Where to say what which wallet scans.
    pub(crate) fn sender(&self) -> mpsc::UnboundedSender<String> {
        self.scans.clone()
    }
}

async fn tell(mut stdin: ChildStdin, mut waiting: mpsc::UnboundedReceiver<String>) -> Result<()> {
    let mut lines = Vec::new();
    while waiting.recv_many(&mut lines, 1024).await > 0 {
        stdin.write_all(lines.concat().as_bytes()).await?;
        lines.clear();
    }
    Ok(())
}

/// One simulated user.
struct Wallet {
    sealer: Sealer,
    signing: SigningKey,
}

impl Wallet {
    fn new(service: &PublicKey) -> Result<Self> {
        let keys = Keys::generate();
        let signing = SigningKey::from_secret(keys.secret_key());
        let sealer = Sealer::new(keys, 1);
        // Derives the key of the conversation now and not while the daemon is measured.
        sealer.seal_text(&mut OsRng, service, "warm")?;
        Ok(Self { sealer, signing })
    }

    /// `scanned`: the URL, and relays that this wallet would rather be talked to on.
    fn scan(&self, service: &PublicKey, scanned: &str) -> Result<Event> {
        let mut words = scanned.split(' ').map(str::to_owned);
        let url: HandshakeUrl = words.next().unwrap_or_default().parse()?;
        let scan = KeyHandshake { token: url.token, client_info: None, preferred_relays: words.collect() };
        Ok(self.sealer.seal(&mut OsRng, service, &[*service], None, &scan, now())?)
    }

    /// The approval of a challenge. `None`: the event is no challenge.
    fn approve(&self, service: &PublicKey, event: &Event) -> Result<Option<Event>> {
        let Portal::AuthChallenge(asked) = self.sealer.open(event)?.message else { return Ok(None) };
        let session_token = portal_token::issue(&self.signing, service.as_bytes(), now(), LIFETIME_SECS);
        let answer = AuthResponse {
            challenge: asked.challenge,
            subkey_proof: None,
            status: AuthStatus::Approved {
                granted_permissions: Vec::new(),
                session_token: SessionToken::new(session_token),
            },
        };
        Ok(Some(self.sealer.seal(&mut OsRng, service, &[*service], None, &answer, now())?))
    }
}

/// Runs all wallets until the pipe is closed.
pub(crate) async fn run(args: &Args) -> Result<()> {
    let service = PublicKey::parse(&args.service)?;
    let delay = Duration::from_millis(args.wallet_delay_ms);
    let mut connections = Vec::new();
    let mut left = args.wallets();
    let mut names = Vec::with_capacity(left);
    while left > 0 {
        let count = left.min(PER_CONNECTION);
        let wallets = (0..count).map(|_| Wallet::new(&service).map(Arc::new)).collect::<Result<Vec<_>>>()?;
        names.extend(wallets.iter().map(|wallet| wallet.sealer.public_key().to_hex()));
        connections.push(connect(&args.relay, service, wallets, delay).await?);
        left -= count;
    }
    println!("{}", names.join(" "));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let (number, url) = line.split_once(' ').ok_or("expected: <number> <url>")?;
        let number: usize = number.parse()?;
        let connection = connections.get(number / PER_CONNECTION).ok_or("no such wallet")?;
        connection.send((number % PER_CONNECTION, url.to_owned()))?;
    }
    Ok(())
}

/// Connects and subscribes some wallets. Returns where to say which of them scans what.
async fn connect(
    relay: &str,
    service: PublicKey,
    wallets: Vec<Arc<Wallet>>,
    delay: Duration,
) -> Result<mpsc::UnboundedSender<(usize, String)>> {
    let (mut socket, _) = connect_async(relay).await?;
    let keys: Vec<String> = wallets.iter().map(|wallet| wallet.sealer.public_key().to_hex()).collect();
    let filter = json!({ "kinds": [kind::AUTH_CHALLENGE], "#p": keys });
    socket.send(Message::text(json!(["REQ", "wallets", filter]).to_string())).await?;
    socket.next().await.ok_or("the relay hung up")??;

    let (scan, mut scans) = mpsc::unbounded_channel::<(usize, String)>();
    let (answer, mut answers) = mpsc::unbounded_channel::<Event>();
    tokio::spawn(async move {
        let by_key: HashMap<_, _> =
            wallets.iter().map(|wallet| (wallet.sealer.public_key(), Arc::clone(wallet))).collect();
        let mut seen = HashSet::new();
        loop {
            let event = tokio::select! {
                Some((number, url)) = scans.recv() => wallets[number].scan(&service, &url)?,
                Some(event) = answers.recv() => event,
                Some(frame) = socket.next() => {
                    let asked = frame?.into_text().ok().and_then(|text| challenge(&text, &mut seen));
                    if let Some((to, event)) = asked
                        && let Some(wallet) = by_key.get(&to).cloned()
                    {
                        let answer = answer.clone();
                        tokio::spawn(async move {
                            tokio::time::sleep(delay).await;
                            if let Ok(Some(approval)) = wallet.approve(&service, &event) {
                                let _ = answer.send(approval);
                            }
                        });
                    }
                    continue;
                }
                else => return Result::Ok(()),
            };
            socket.send(Message::text(format!(r#"["EVENT",{}]"#, event.as_json()))).await?;
        }
    });
    Ok(scan)
}

/// The event in a frame and whom it is for, unless it was here before.
fn challenge(frame: &str, seen: &mut HashSet<EventId>) -> Option<(PublicKey, Event)> {
    frame.starts_with(r#"["EVENT""#).then_some(())?;
    let (_, _, event): (IgnoredAny, IgnoredAny, Event) = serde_json::from_str(frame).ok()?;
    let to = event.tags.public_keys().next().copied()?;
    seen.insert(event.id).then_some((to, event))
}

#[expect(clippy::disallowed_methods, reason = "a wallet has a clock of its own")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
