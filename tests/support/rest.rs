//! A client of the REST API, as a business's own program would be one.

use std::net::SocketAddr;
use std::path::PathBuf;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::soon;

/// Both kinds of connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A client. Each request goes over a connection of its own.
#[derive(Clone)]
pub(crate) struct Rest {
    target: Target,
    headers: Vec<(&'static str, String)>,
}

#[derive(Clone)]
enum Target {
    Unix(PathBuf),
    /// As this user of the machine.
    UnixAs(u32, PathBuf),
    Tcp(SocketAddr),
}

/// There is no daemon, or not until the end of its answer.
pub(crate) type Gone = Box<dyn std::error::Error + Send + Sync>;

/// What the daemon answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Rest {
    pub(crate) fn unix(path: PathBuf) -> Self {
        Self { target: Target::Unix(path), headers: vec![("host", "portico".into())] }
    }

    /// As another user of this machine, which takes root.
    pub(crate) fn unix_as(uid: u32, path: PathBuf) -> Self {
        Self { target: Target::UnixAs(uid, path), headers: vec![("host", "portico".into())] }
    }

    pub(crate) fn tcp(address: SocketAddr, token: String) -> Self {
        let headers = vec![("host", address.to_string()), ("authorization", format!("Bearer {token}"))];
        Self { target: Target::Tcp(address), headers }
    }

    /// With this header, in place of the one that it would send otherwise.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With this header beside the others of its name.
    pub(crate) fn and(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Without this header.
    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    /// A header that it sends.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str, body: Value) -> Answer {
        self.send(Method::DELETE, path, body.to_string()).await
    }

    /// Any request, with any body.
    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        self.try_send(method, path, body).await.unwrap()
    }

    /// The same to a daemon that may die meanwhile.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Gone> {
        let body = Full::new(body.into());
        let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
        for (name, value) in &self.headers {
            // Other programs send bytes that are not ASCII, too.
            request.headers_mut().append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        soon(path, self.exchange(request)).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Gone> {
        let stream: Box<dyn Stream> = match &self.target {
            Target::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Target::UnixAs(uid, path) => Box::new(connect_as(*uid, path.clone())),
            Target::Tcp(address) => Box::new(TcpStream::connect(address).await?),
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await?.into_parts();
        let bytes = body.collect().await?.to_bytes();
        connection.abort();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Ok(Answer { status: head.status, headers: head.headers, text })
    }

    /// Opens a login: its URL and its stream.
    pub(crate) async fn login(&self, body: Value) -> (String, String) {
        self.open("/login", body).await
    }

    /// Opens a handshake: its URL and its stream.
    pub(crate) async fn key_handshake(&self, body: Value) -> (String, String) {
        self.open("/key-handshake", body).await
    }

    async fn open(&self, path: &str, body: Value) -> (String, String) {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let data = answer.data();
        (data["url"].as_str().unwrap().to_owned(), data["stream_id"].as_str().unwrap().to_owned())
    }

    /// Asks a user; the stream that tells how it ends.
    pub(crate) async fn authenticate(&self, user: impl ToString) -> String {
        self.authenticate_with(user, &[]).await
    }

    /// Asks a user and the subkeys that the caller knows of.
    pub(crate) async fn authenticate_with(&self, user: impl ToString, subkeys: &[String]) -> String {
        let body = json!({ "main_key": user.to_string(), "subkeys": subkeys });
        let answer = self.post("/authenticate-key", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.data()["stream_id"].as_str().unwrap().to_owned()
    }

    /// What a stream holds now.
    pub(crate) async fn events(&self, stream: &str) -> Vec<Value> {
        let data = self.get(&format!("/events/{stream}?after=0")).await.data();
        assert_eq!(data["stream_id"], stream);
        data["events"].as_array().unwrap().clone()
    }

    /// Asks about a token.
    pub(crate) async fn verify(&self, key: impl ToString, token: &str) -> Answer {
        self.post("/jwt/verify", json!({ "pubkey": key.to_string(), "token": token })).await
    }
}

impl Answer {
    /// The answer as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// What it says, if it went well.
    pub(crate) fn data(&self) -> Value {
        let mut json = self.json();
        assert!(self.status.is_success() && json["success"] == true, "{self:?}");
        json["data"].take()
    }

    /// Its status and the code in its envelope, if it did not.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert!(json["success"] == false && json["error"].is_string(), "no envelope: {self:?}");
        (self.status.as_u16(), json["code"].as_str().unwrap().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Connects as another user. Linux knows the user of each thread, and this thread ends with it.
pub(crate) fn connect_as(uid: u32, path: PathBuf) -> UnixStream {
    let connecting = std::thread::spawn(move || {
        let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
        set_thread_groups(&[group]).unwrap();
        set_thread_res_gid(group, group, group).unwrap();
        set_thread_res_uid(user, user, user).unwrap();
        std::os::unix::net::UnixStream::connect(path).unwrap()
    });
    let stream = connecting.join().unwrap();
    stream.set_nonblocking(true).unwrap();
    UnixStream::from_std(stream).unwrap()
}

/// What a caller is told: status and code.
pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
