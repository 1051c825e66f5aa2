//! Para's API as its own library was seen to use it, with lies to order. It keeps what it was sent.

#![allow(dead_code, reason = "no suite needs all of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const API_KEY: &str = "pk_test_0001";
pub(crate) const SECRET_KEY: &str = "sk_test_0002";
pub(crate) const PARTNER: &str = "partner-1";

/// The share of a key that must never be seen again.
pub(crate) const SIGNER: &str = "RkFLRS1NUEMtU0hBUkU";

/// What it does with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Answers as it should.
    Honest,
    /// Tells of another user.
    AnotherUser,
    /// Tells of another app's session.
    AnotherPartner,
    /// `isAuthenticated` is text, and true to careless readers.
    TrueAsText,
    /// Says yes and no.
    YesAndNo,
    /// Says yes, and not to whom.
    Nobody,
    /// A page in place of JSON.
    Html,
    /// Answers with this status, and what would be right.
    Status(u16),
    /// Sends it elsewhere.
    Redirects,
    /// Answers without end.
    Babbles,
    /// Never answers.
    Hangs,
    /// Hangs up.
    HangsUp,
}

/// A user there.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) auth_type: String,
    pub(crate) identifier: String,
    /// Kind, id and address.
    pub(crate) wallets: Vec<[String; 3]>,
}

/// A question that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// The API.
pub(crate) struct ParaApi {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    mood: Mutex<Mood>,
    /// Towards the sessions with these cookies.
    moods: Mutex<BTreeMap<String, Mood>>,
    /// By their cookies.
    active: Mutex<BTreeMap<String, User>>,
    asked: Mutex<Vec<Asked>>,
}

impl User {
    /// Somebody with a wallet of each of two kinds.
    pub(crate) fn named(name: &str) -> Self {
        let wallet = |kind: &str| [kind.into(), format!("{name}-{kind}"), format!("0x{name}{kind}")];
        Self {
            id: format!("id-of-{name}"),
            auth_type: "email".into(),
            identifier: format!("{name}@example.com"),
            wallets: vec![wallet("EVM"), wallet("SOLANA")],
        }
    }

    /// The session as the library exports it, signers and all.
    pub(crate) fn export(&self, cookie: &str) -> String {
        let mut session = self.exported(cookie);
        for wallet in session["wallets"].as_object_mut().unwrap().values_mut() {
            wallet["signer"] = SIGNER.into();
        }
        session["signer"] = SIGNER.into();
        STANDARD.encode(session.to_string())
    }

    /// … without signers.
    pub(crate) fn export_without_signers(&self, cookie: &str) -> String {
        STANDARD.encode(self.exported(cookie).to_string())
    }

    fn exported(&self, cookie: &str) -> Value {
        let wallets: BTreeMap<&str, Value> = self
            .wallets
            .iter()
            .map(|[kind, id, address]| {
                (&**id, json!({ "id": id, "type": kind, "address": address, "scheme": "DKLS" }))
            })
            .collect();
        json!({ "userId": self.id, "wallets": wallets, "sessionCookie": cookie, "externalWallets": {} })
    }
}

impl ParaApi {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mood, active, asked) = (Mutex::new(Mood::Honest), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { mood, moods: Mutex::default(), active, asked });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn now(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// … when it is asked about the session with this cookie.
    pub(crate) fn now_towards(&self, cookie: &str, mood: Mood) {
        self.shared.moods.lock().unwrap().insert(cookie.to_owned(), mood);
    }

    /// A user has a session under this cookie from now on.
    pub(crate) fn log_in(&self, cookie: &str, user: &User) {
        self.active().insert(cookie.to_owned(), user.clone());
    }

    /// … has none any more.
    pub(crate) fn log_out(&self, cookie: &str) {
        self.active().remove(cookie);
    }

    /// All that came.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How often it was asked whether a session is active.
    pub(crate) fn touches(&self) -> usize {
        self.asked().iter().filter(|asked| asked.target.starts_with("/touch")).count()
    }

    fn active(&self) -> MutexGuard<'_, BTreeMap<String, User>> {
        self.shared.active.lock().unwrap()
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let target = head.uri.path_and_query().unwrap().to_string();
    assert_eq!(head.method, "POST");
    shared.asked.lock().unwrap().push(Asked {
        target: target.clone(),
        headers: head.headers.clone(),
        body: body.clone(),
    });
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap());
    let key = header("x-external-api-key").unwrap();
    let active = shared.active.lock().unwrap().clone();
    let (status, said) = match (&*target, key) {
        ("/touch?regenerate=false", API_KEY) => (200, touched(&active, header("x-capsule-sid").unwrap())),
        ("/sessions/verify", SECRET_KEY) => verified(&active, &body),
        ("/wallets/verify", SECRET_KEY) => wallet(&active, &body),
        (_, API_KEY | SECRET_KEY) => (404, json!({})),
        _ => (401, json!({})),
    };
    let of_cookie =
        header("x-capsule-sid").and_then(|cookie| shared.moods.lock().unwrap().get(cookie).copied());
    let mood = of_cookie.unwrap_or(*shared.mood.lock().unwrap());
    in_a_mood(mood, status, said).await
}

/// As the library was seen to be answered.
fn touched(active: &BTreeMap<String, User>, cookie: &str) -> Value {
    let mut touched = json!({
        "sessionId": "sess-1",
        "sessionLookupId": format!("lookup-{}", hex::encode(cookie)),
        "partnerId": PARTNER,
        "isAuthenticated": false,
        "supportedWalletTypes": [{ "type": "EVM", "optional": false }],
        "cosmosPrefix": "cosmos",
        "needsWallet": false,
        "currentWalletIds": {},
    });
    if let Some(user) = active.get(cookie) {
        touched["userId"] = user.id.clone().into();
        touched["isAuthenticated"] = true.into();
        for [kind, id, _] in &user.wallets {
            touched["currentWalletIds"][kind] = json!([id]);
        }
    }
    touched
}

fn verified(active: &BTreeMap<String, User>, body: &str) -> (u16, Value) {
    let body: Value = serde_json::from_str(body).unwrap();
    let cookie = body["verificationToken"].as_str().unwrap().strip_prefix("lookup-").unwrap();
    let cookie = String::from_utf8(hex::decode(cookie).unwrap()).unwrap();
    match active.get(&cookie) {
        Some(user) => (200, json!({ "authType": user.auth_type, "identifier": user.identifier })),
        None => (403, json!({})),
    }
}

fn wallet(active: &BTreeMap<String, User>, body: &str) -> (u16, Value) {
    let body: Value = serde_json::from_str(body).unwrap();
    let mut wallets = active.values().flat_map(|user| &user.wallets);
    match wallets.find(|[_, _, address]| body["address"] == **address) {
        Some([_, id, _]) => (200, json!({ "walletId": id })),
        None => (404, json!({})),
    }
}

async fn in_a_mood(
    mood: Mood,
    status: u16,
    mut said: Value,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let mut status = status;
    let mut location = None;
    let mut text = None;
    match mood {
        Mood::Honest => {}
        Mood::AnotherUser => said["userId"] = "id-of-mallory".into(),
        Mood::AnotherPartner => said["partnerId"] = "partner-2".into(),
        Mood::TrueAsText => said["isAuthenticated"] = "true".into(),
        Mood::YesAndNo => text = Some(said.to_string().replacen('{', "{\"isAuthenticated\":false,", 1)),
        Mood::Nobody => said["userId"] = Value::Null,
        Mood::Html => text = Some("<!doctype html><title>Welcome</title>".into()),
        Mood::Status(other) => status = other,
        Mood::Redirects => (status, location) = (307, Some("/touch?regenerate=false&again")),
        Mood::Babbles => text = Some(format!("{{\"x\":\"{}\"}}", "bla".repeat(1_000_000))),
        Mood::Hangs => std::future::pending().await,
        Mood::HangsUp => return Err(std::io::Error::other("gone")),
    }
    let mut answer = Response::new(Full::new(Bytes::from(text.unwrap_or_else(|| said.to_string()))));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(location) = location {
        answer.headers_mut().insert("location", location.parse().unwrap());
    }
    Ok(answer)
}
