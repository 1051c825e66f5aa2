//! A business's own program that is told of events, with faults to order. It checks signatures itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::soon;

pub(crate) const SECRET: &str = "a secret of the operator's";

/// What it does with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes it.
    Takes,
    /// Answers with this status.
    Answers(u16),
    /// Never answers.
    Hangs,
    /// Sends it elsewhere.
    Redirects,
    /// Takes it, with an answer that has no end.
    Babbles,
}

/// A delivery that came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) id: String,
    pub(crate) timestamp: u64,
    pub(crate) body: Value,
}

/// The receiver.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    mood: Mutex<Mood>,
    /// For single streams.
    moods: Mutex<HashMap<String, Mood>>,
    came: watch::Sender<Vec<Came>>,
}

impl Receiver {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mood, moods) = (Mutex::new(mood), Mutex::default());
        let shared = Arc::new(Shared { mood, moods, came: watch::Sender::default() });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, shared }
    }

    /// The `[webhook]` section that leads here; failures are tried again soon.
    pub(crate) fn config(&self) -> String {
        format!(
            "[webhook]\nurl = \"http://{}/hook\"\nsecret = \"{SECRET}\"\nfirst_retry = \"20ms\"\nlongest_retry = \"50ms\"\n",
            self.address
        )
    }

    pub(crate) fn now(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// … towards this stream alone.
    pub(crate) fn now_towards(&self, stream: &str, mood: Mood) {
        self.shared.moods.lock().unwrap().insert(stream.to_owned(), mood);
    }

    /// All that came, once it is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&[Came]) -> bool) -> Vec<Came> {
        let mut came = self.shared.came.subscribe();
        soon(what, came.wait_for(|came| is_so(came))).await.unwrap().clone()
    }

    /// All that came, once there was this delivery.
    pub(crate) async fn until_came(&self, stream: &str, index: u64) -> Vec<Came> {
        let id = format!("{stream}/{index}");
        self.until(&id, |came| came.iter().any(|one| one.id == id)).await
    }
}

/// Of what came, the indexes of this stream in their order, repeats left out as a receiver would.
pub(crate) fn indexes(came: &[Came], stream: &str) -> Vec<u64> {
    let mut indexes = Vec::new();
    for one in came.iter().filter(|one| one.body["stream_id"] == stream) {
        let index = one.body["index"].as_u64().unwrap();
        assert_eq!(one.id, format!("{stream}/{index}"), "repeats can be told by their id");
        if !indexes.contains(&index) {
            indexes.push(index);
        }
    }
    indexes
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap().to_owned();
    let raw = body.collect().await.unwrap().to_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&raw);
    assert_eq!(hex::encode(mac.finalize().into_bytes()), header("x-portal-signature"));
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&raw);
    assert_eq!(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())), header("webhook-signature"));
    assert_eq!(id, header("x-portico-delivery"));
    assert_eq!((head.method, head.uri.path()), (Method::POST, "/hook"));
    assert_eq!(header("content-type"), "application/json");
    assert!(header("user-agent").starts_with("portico/"));

    let body: Value = serde_json::from_slice(&raw).unwrap();
    let stream = body["stream_id"].as_str().unwrap().to_owned();
    let mood = *shared.moods.lock().unwrap().get(&stream).unwrap_or(&shared.mood.lock().unwrap());
    shared.came.send_modify(|came| came.push(Came { id, timestamp: timestamp.parse().unwrap(), body }));
    let answer = Response::builder();
    let text = |text: String| Full::new(Bytes::from(text));
    Ok(match mood {
        Mood::Takes => answer.status(204).body(text(String::new())),
        Mood::Answers(status) => answer.status(status).body(text("no".into())),
        Mood::Redirects => answer.status(307).header("location", "/elsewhere").body(text(String::new())),
        Mood::Babbles => answer.status(200).body(text("bla".repeat(4_000_000))),
        Mood::Hangs => std::future::pending().await,
    }
    .unwrap())
}
