//! The receiver of the webhook, which gets every event. It is unavailable at times.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::daemon::Daemon;

pub(crate) const SECRET: &str = "a secret of the operator's";

/// What it does with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    Fails,
    Hangs,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    mood: Mood,
    /// What came, by stream, in the order of its events.
    taken: HashMap<String, Vec<Value>>,
    trouble: Vec<String>,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Shared { mood: Mood::Takes, taken: HashMap::new(), trouble: Vec::new() };
        let shared = Arc::new(Mutex::new(shared));
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Ok(Self { address, shared })
    }

    pub(crate) fn now(&self, mood: Mood) {
        lock(&self.shared).mood = mood;
    }

    /// How many deliveries it took.
    pub(crate) fn taken(&self) -> usize {
        lock(&self.shared).taken.values().map(Vec::len).sum()
    }

    /// What was wrong with what came, once everything has come.
    pub(crate) async fn check(&self, daemon: &Daemon, patience: Duration) -> Result<Vec<String>> {
        let deadline = Instant::now() + patience;
        loop {
            let owed = daemon.connect().await?.call("GET", "/webhooks", "").await?;
            let mut trouble = lock(&self.shared).trouble.clone();
            if owed["waiting"] == 0 && owed["failed"] == 0 {
                return Ok(trouble);
            }
            if Instant::now() > deadline {
                trouble.push(format!("deliveries that never came: {} {}", owed["waiting"], owed["failed"]));
                return Ok(trouble);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    shared: Arc<Mutex<Shared>>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Empty<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    let mood = lock(&shared).mood;
    if mood == Mood::Hangs {
        std::future::pending::<()>().await;
    }
    let taken = mood == Mood::Takes
        && body.ok().and_then(|body| serde_json::from_slice(&body).ok()).is_some_and(|event| {
            take(&mut lock(&shared), event);
            true
        });
    let mut answer = Response::new(Empty::new());
    *answer.status_mut() = if taken { hyper::StatusCode::NO_CONTENT } else { hyper::StatusCode::BAD_GATEWAY };
    Ok(answer)
}

/// The next event of its stream, or one that came before, as it was.
fn take(shared: &mut Shared, event: Value) {
    let stream = event["stream_id"].as_str().unwrap_or_default().to_owned();
    let index = event["index"].as_u64().unwrap_or_default() as usize;
    let before = shared.taken.entry(stream.clone()).or_default();
    if index == before.len() + 1 {
        before.push(event);
    } else if before.get(index.wrapping_sub(1)) != Some(&event) {
        shared
            .trouble
            .push(format!("{stream}: event {index} was delivered after {}, or differs", before.len()));
    }
}
