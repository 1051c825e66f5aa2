//! An issuer of tokens with a web server of its own, which counts who asks and has faults to order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::soon;

/// How it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// With its keys.
    Publishes,
    /// With this status.
    Answers(u16),
    /// With this text, and 200.
    Says(String),
    /// Not before it is in another mood.
    Hangs,
    /// It redirects every request.
    Redirects,
    /// Compressed, unless nothing but `identity` is asked for.
    Compresses,
    /// With more than anybody wants to read.
    Babbles,
}

/// A key of an issuer.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) kid: String,
    pair: Arc<Pair>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    /// A new one.
    pub(crate) fn new(kid: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap());
        Self { kid: kid.into(), pair: Arc::new(pair) }
    }

    /// One that signs by RS256, as Para does. It is always the same: ring makes no such keys.
    pub(crate) fn rsa(kid: &str) -> Self {
        let pair = Pair::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("rsa-test-key.der")).unwrap());
        Self { kid: kid.into(), pair: Arc::new(pair) }
    }

    /// As it is published.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &*self.pair {
            Pair::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": x, "use": "sig" })
            }
            Pair::Rsa(pair) => {
                let public: PublicKeyComponents<Vec<u8>> = pair.public_key().into();
                let (n, e) = (text(&public.n), text(&public.e));
                json!({ "kty": "RSA", "kid": self.kid, "n": n, "e": e, "alg": "RS256", "use": "sig" })
            }
        }
    }

    /// A token that says this.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let alg = match &*self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::Rsa(_) => "RS256",
        };
        let header = json!({ "alg": alg, "typ": "JWT", "kid": self.kid });
        let text = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let input = format!("{}.{}", text(&header), text(claims));
        let signature = match &*self.pair {
            Pair::Ed25519(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The issuer.
pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    mood: watch::Sender<Mood>,
    keys: Mutex<Vec<Value>>,
    cache_control: Mutex<Option<&'static str>>,
    asked: watch::Sender<usize>,
}

impl Issuer {
    /// One with these keys.
    pub(crate) async fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            mood: watch::Sender::new(Mood::Publishes),
            keys: Mutex::new(keys.iter().map(|key| key.jwk()).collect()),
            cache_control: Mutex::default(),
            asked: watch::Sender::new(0),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, shared }
    }

    /// Its name, as `iss`.
    pub(crate) const NAME: &str = "https://issuer.example";

    /// Where its keys are.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    pub(crate) fn now(&self, mood: Mood) {
        self.shared.mood.send_replace(mood);
    }

    /// From now on it has these keys.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        *self.shared.keys.lock().unwrap() = keys.iter().map(|key| key.jwk()).collect();
    }

    /// What it says of how long its answers are good.
    pub(crate) fn cache(&self, cache_control: &'static str) {
        *self.shared.cache_control.lock().unwrap() = Some(cache_control);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        *self.shared.asked.borrow()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn until_asked(&self, times: usize) {
        let mut asked = self.shared.asked.subscribe();
        soon("the issuer to be asked", asked.wait_for(|count| *count >= times)).await.unwrap();
    }
}

async fn answer<B>(shared: Arc<Shared>, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    shared.asked.send_modify(|count| *count += 1);
    let mut moods = shared.mood.subscribe();
    let mood = moods.wait_for(|mood| *mood != Mood::Hangs).await.unwrap().clone();
    let text = |text: String| Full::new(Bytes::from(text));
    let mut answer = Response::builder();
    if let Some(cache_control) = *shared.cache_control.lock().unwrap() {
        answer = answer.header("cache-control", cache_control);
    }
    let keys = json!({ "keys": *shared.keys.lock().unwrap() }).to_string();
    Ok(match mood {
        Mood::Publishes | Mood::Hangs => answer.body(text(keys)),
        Mood::Answers(status) => answer.status(status).body(text(keys)),
        Mood::Says(said) => answer.body(text(said)),
        Mood::Compresses
            if request.headers().get("accept-encoding").is_some_and(|wish| wish == "identity") =>
        {
            answer.body(text(keys))
        }
        Mood::Compresses => answer.header("content-encoding", "gzip").body(text("\u{1f}compressed".into())),
        Mood::Redirects => answer.status(302).header("location", "/elsewhere").body(text(keys)),
        Mood::Babbles => answer.body(text(format!("{}{keys}", " ".repeat(64 * 1024)))),
    }
    .unwrap())
}
