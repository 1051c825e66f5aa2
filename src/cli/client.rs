//! Talking to the running daemon over its Unix socket.

use std::path::PathBuf;

use axum::http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Exit, Failure};
use crate::config::{self, Overrides};

/// Where the daemon is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// The daemon's Unix socket [default: where `portico serve` puts it]
    #[arg(long, value_name = "PATH", env = "PORTICO_SOCKET")]
    socket: Option<PathBuf>,
    /// Configuration file that names the socket
    #[arg(long, value_name = "FILE", env = "PORTICO_CONFIG")]
    config: Option<PathBuf>,
}

impl Target {
    /// A daemon at a known socket.
    pub(super) fn at(socket: PathBuf) -> Self {
        Self { socket: Some(socket), config: None }
    }

    async fn connect(&self) -> Result<UnixStream, Failure> {
        let socket = match &self.socket {
            Some(path) => path.clone(),
            None => {
                let overrides = Overrides { config: self.config.clone(), ..Overrides::default() };
                config::load(&overrides).map_err(Failure::usage)?.local.socket
            }
        };
        UnixStream::connect(&socket).await.map_err(|error| {
            let message =
                format!("no daemon at {}: {error} (start one with `portico serve`)", socket.display());
            Failure::new(Exit::Unavailable, message)
        })
    }

    /// Asks for something; returns `data`, or the daemon's error.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Sends one request; returns `data`, or the daemon's error.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, Bytes::from(body.to_string())).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Value, Failure> {
        let stream = self.connect().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "portico")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let bytes = response.into_body().collect().await.map_err(broken)?.to_bytes();
        let mut answer: Value = serde_json::from_slice(&bytes).map_err(broken)?;
        match answer["success"].as_bool() {
            Some(true) => Ok(answer["data"].take()),
            _ => Err(refusal(&answer)),
        }
    }

    /// Opens the daemon's WebSocket.
    pub(super) async fn websocket(&self) -> Result<WebSocketStream<UnixStream>, Failure> {
        let stream = self.connect().await?;
        let (socket, _) = client_async("ws://portico/ws", stream).await.map_err(broken)?;
        Ok(socket)
    }
}

/// The daemon said no: `No` where that is the answer to the question, else `Unavailable`.
fn refusal(answer: &Value) -> Failure {
    let code = answer["code"].as_str().unwrap_or_default();
    let message = format!("{} ({code})", answer["error"].as_str().unwrap_or("the daemon sent nonsense"));
    let exit = match code {
        "" | "internal" | "stopping" | "store_unavailable" | "limit_reached" => Exit::Unavailable,
        "bad_request" | "forbidden" => Exit::Usage,
        _ => Exit::No,
    };
    Failure::new(exit, message)
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Unavailable, format!("the daemon broke off: {error}"))
}
