//! A client for the Unix socket: calls a running daemon and follows its streams, for the command line
//! and the demo.

use std::path::{Path, PathBuf};

use axum::http::{Request, header, request};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// The reason why a call to the daemon failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The socket.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The HTTP exchange.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The request cannot be written in HTTP.
    #[error(transparent)]
    Request(#[from] axum::http::Error),
    /// The WebSocket.
    #[error(transparent)]
    WebSocket(Box<tungstenite::Error>),
    /// The answer is not JSON.
    #[error("the answer is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The daemon refused to let the client follow the stream; its reason.
    #[error("{0}")]
    Refused(String),
    /// A user that is not trusted listens on the socket (`SO_PEERCRED`, unix(7)).
    #[error("uid {uid} listens there")]
    Stranger {
        /// Who.
        uid: u32,
    },
    /// The daemon closed the connection.
    #[error("the daemon closed the connection")]
    Closed,
}

impl From<tungstenite::Error> for CallError {
    fn from(error: tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

/// Calls a daemon over its Unix socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    /// The users that may run the daemon.
    servers: Vec<u32>,
}

/// An answer of the daemon.
#[derive(Debug)]
pub struct ClientAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The revision of the data (`ETag`, RFC 9110 §8.8.3), if it has one.
    pub etag: Option<String>,
    /// The envelope: `success`, with `data` or with `error` and `code`.
    pub body: Value,
}

impl Client {
    /// A client of the daemon at this socket. One of these users (by uid) must run the daemon: in a folder where others
    /// may put a socket, any of them could pretend to be the daemon, and receive its requests.
    pub fn new(socket: &Path, servers: Vec<u32>) -> Self {
        Self { socket: socket.to_owned(), servers }
    }

    /// Connects, and checks who listens before it sends anything.
    async fn connect(&self) -> Result<UnixStream, CallError> {
        let stream = UnixStream::connect(&self.socket).await?;
        let uid = stream.peer_cred()?.uid();
        if self.servers.contains(&uid) { Ok(stream) } else { Err(CallError::Stranger { uid }) }
    }

    /// Sends GET.
    ///
    /// # Errors
    ///
    /// [`CallError`]; a refusal by the daemon is an answer, not an error.
    pub async fn get(&self, path: &str) -> Result<ClientAnswer, CallError> {
        self.send(Request::get(path), Bytes::new()).await
    }

    /// Sends one request.
    ///
    /// # Errors
    ///
    /// [`CallError`]; a refusal by the daemon is an answer, not an error.
    pub async fn post(&self, path: &str, body: &Value) -> Result<ClientAnswer, CallError> {
        self.send(Request::post(path), Bytes::from(body.to_string())).await
    }

    /// Changes something. With `if_match` (RFC 9110 §13.1.1) only if the revision is still the same; otherwise the
    /// answer is 412.
    ///
    /// # Errors
    ///
    /// [`CallError`]; a refusal by the daemon is an answer, not an error.
    pub async fn patch(
        &self,
        path: &str,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<ClientAnswer, CallError> {
        let mut request = Request::patch(path);
        if let Some(revision) = if_match {
            request = request.header(header::IF_MATCH, revision);
        }
        self.send(request, Bytes::from(body.to_string())).await
    }

    /// Deletes something.
    ///
    /// # Errors
    ///
    /// [`CallError`]; a refusal by the daemon is an answer, not an error.
    pub async fn delete(&self, path: &str, body: &Value) -> Result<ClientAnswer, CallError> {
        self.send(Request::delete(path), Bytes::from(body.to_string())).await
    }

    async fn send(&self, request: request::Builder, body: Bytes) -> Result<ClientAnswer, CallError> {
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        let request = request
            .header(header::HOST, "portico")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let etag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(ClientAnswer { status, etag, body: serde_json::from_slice(&bytes)? })
    }

    /// Follows a stream from the event after index `after`.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn follow(&self, stream: &str, after: u64) -> Result<EventStream, CallError> {
        let socket = self.connect().await?;
        let (mut socket, _) = client_async("ws://portico/ws", socket).await?;
        let params = json!({ "stream_id": stream, "after": after });
        let command = json!({ "id": "follow", "cmd": "Subscribe", "params": params });
        socket.send(Message::text(command.to_string())).await?;
        Ok(EventStream { socket })
    }
}

/// The events of one stream.
#[derive(Debug)]
pub struct EventStream {
    socket: WebSocketStream<UnixStream>,
}

impl EventStream {
    /// The next event; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn next(&mut self) -> Result<Option<Value>, CallError> {
        while let Some(message) = self.socket.next().await {
            let Message::Text(text) = message? else { continue };
            let mut message: Value = serde_json::from_str(&text)?;
            match message["type"].as_str() {
                Some("notification") => return Ok(Some(message["data"].take())),
                Some("ended") => return Ok(None),
                Some("error") => {
                    let reason = message["message"].as_str().unwrap_or("refused");
                    return Err(CallError::Refused(reason.to_owned()));
                }
                _ => {}
            }
        }
        Err(CallError::Closed)
    }
}
