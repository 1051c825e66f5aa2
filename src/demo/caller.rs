//! The business's side of a login: HTTP and events over the daemon's Unix socket, status codes included.

use std::path::{Path, PathBuf};

use axum::http::{Request, header};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// The daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The socket.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The HTTP exchange.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The request has no form in HTTP.
    #[error(transparent)]
    Request(#[from] axum::http::Error),
    /// The WebSocket.
    #[error(transparent)]
    WebSocket(#[from] tungstenite::Error),
    /// The answer is not JSON.
    #[error("the answer is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The stream ended, or was never there.
    #[error("the stream has no more events")]
    Ended,
}

/// Asks a daemon over its Unix socket.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    socket: PathBuf,
}

/// What it answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The envelope (api.md §2).
    pub(super) body: Value,
}

impl Caller {
    pub(super) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Sends one request.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, CallError> {
        let stream = TokioIo::new(UnixStream::connect(&self.socket).await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        let request = Request::post(path)
            .header(header::HOST, "portico")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body: serde_json::from_slice(&bytes)? })
    }

    /// Follows a stream from its first event.
    pub(super) async fn follow(&self, stream: &str) -> Result<Events, CallError> {
        let socket = UnixStream::connect(&self.socket).await?;
        let (mut socket, _) = client_async("ws://portico/ws", socket).await?;
        let command = json!({ "id": "demo", "cmd": "Subscribe", "params": { "stream_id": stream } });
        socket.send(Message::text(command.to_string())).await?;
        Ok(Events { socket })
    }
}

/// The events of one stream.
#[derive(Debug)]
pub(super) struct Events {
    socket: WebSocketStream<UnixStream>,
}

impl Events {
    /// The next event.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] behind the last.
    pub(super) async fn next(&mut self) -> Result<Value, CallError> {
        while let Some(message) = self.socket.next().await {
            let Message::Text(text) = message? else { continue };
            let mut message: Value = serde_json::from_str(&text)?;
            match message["type"].as_str() {
                Some("notification") => return Ok(message["data"].take()),
                Some("ended" | "error") => return Err(CallError::Ended),
                _ => {}
            }
        }
        Err(CallError::Ended)
    }
}
