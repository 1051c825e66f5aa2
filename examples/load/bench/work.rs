//! The requests of a measurement, made before it begins.

use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nostr_sdk::{Keys, PublicKey};
use portico::portal_token::{self, SigningKey};
use serde_json::json;

use super::Requests;
use crate::http;

/// Wallets whose tokens are verified.
const WALLETS: usize = 256;

/// More tokens a second than the daemon can verify, so that none is repeated in a cold measurement.
const TOKENS_PER_SECOND: usize = 60_000;

/// Tokens in a batch.
const BATCH: usize = 100;

/// Tokens that come again and again.
const REPEATED: usize = 1000;

/// What is asked of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `/version`, or a command that is answered at once.
    Nothing,
    /// A token that the daemon has not seen.
    Cold,
    /// A token that it has seen.
    Repeated,
    /// A hundred tokens that the daemon has not seen.
    Batch,
    /// A new token.
    Issue,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Cold => "cold",
            Self::Repeated => "repeated",
            Self::Batch => "batch",
            Self::Issue => "issue",
        }
    }

    /// How many tokens one request is about.
    pub(super) fn tokens(self) -> usize {
        if self == Self::Batch { BATCH } else { 1 }
    }

    fn route(self) -> (&'static str, &'static str) {
        match self {
            Self::Nothing => ("GET", "/version"),
            Self::Cold | Self::Repeated | Self::Batch => ("POST", "/jwt/verify"),
            Self::Issue => ("POST", "/jwt/issue"),
        }
    }

    fn command(self) -> &'static str {
        match self {
            // On the Unix socket it is needless and accepted.
            Self::Nothing => "Auth",
            Self::Cold | Self::Repeated | Self::Batch => "VerifyJwt",
            Self::Issue => "IssueJwt",
        }
    }
}

/// Requests to send, shared by all connections.
pub(super) struct Work {
    kind: Kind,
    headers: String,
    bodies: Vec<String>,
    next: AtomicUsize,
}

impl Work {
    pub(super) fn new(kind: Kind, service: &str, time: Duration, token: &str) -> Self {
        let bodies = match kind {
            Kind::Nothing => vec![json!({ "token": "" }).to_string()],
            Kind::Issue => {
                let user = Keys::generate().public_key();
                vec![json!({ "target_key": user, "duration_hours": 24 }).to_string()]
            }
            Kind::Cold => questions(service, time.as_secs() as usize * TOKENS_PER_SECOND),
            Kind::Batch => questions(service, time.as_secs() as usize * TOKENS_PER_SECOND)
                .chunks(BATCH)
                .map(|batch| format!("[{}]", batch.join(",")))
                .collect(),
            Kind::Repeated => questions(service, REPEATED),
        };
        let headers = format!("authorization: Bearer {token}\r\n");
        Self { kind, headers, bodies, next: AtomicUsize::new(0) }
    }

    /// The next command over WebSocket. `None`: there are no more tokens.
    pub(super) fn command(&self, id: usize) -> Option<String> {
        let (command, params) = (self.kind.command(), self.take()?);
        Some(format!(r#"{{"id":{id},"cmd":"{command}","params":{params}}}"#))
    }

    fn take(&self) -> Option<&str> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let once = matches!(self.kind, Kind::Cold | Kind::Batch);
        let next = if once { next } else { next % self.bodies.len() };
        self.bodies.get(next).map(String::as_str)
    }
}

impl Requests for Work {
    fn next(&self) -> Option<Cow<'_, [u8]>> {
        let (method, path) = self.kind.route();
        let body = self.take()?;
        let body = if method == "GET" { "" } else { body };
        Some(Cow::Owned(http::request(method, path, &self.headers, body)))
    }
}

/// Questions about that many different tokens, made on all cores.
fn questions(service: &str, count: usize) -> Vec<String> {
    let service = PublicKey::parse(service).expect("the daemon names its key");
    let wallets: Vec<(PublicKey, SigningKey)> = (0..WALLETS)
        .map(|_| Keys::generate())
        .map(|keys| (keys.public_key(), SigningKey::from_secret(keys.secret_key())))
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let made = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (wallets, made) = (&wallets, &made);
            scope.spawn(move || {
                let numbers = (thread..count).step_by(threads);
                let part: Vec<String> =
                    numbers.map(|n| question(&wallets[n % WALLETS], &service, n as u64)).collect();
                made.lock().expect("no thread panics").extend(part);
            });
        }
    });
    made.into_inner().expect("no thread panics")
}

#[expect(clippy::disallowed_methods, reason = "a wallet has a clock of its own")]
fn question((wallet, signing): &(PublicKey, SigningKey), service: &PublicKey, number: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    // A lifetime of its own makes each token another one.
    let token = portal_token::issue(signing, service.as_bytes(), now, 3600 + number);
    json!({ "pubkey": wallet, "token": token }).to_string()
}
