//! Hearing what happens on a stream, in each of the ways that there are.

use std::path::Path;

use clap::ValueEnum;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::Result;
use crate::http::Connection;
use crate::socket::Address;

/// How long one long-poll waits.
const WAIT_SECS: u64 = 20;

/// How a caller receives events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Follow {
    /// `GET /events/{id}?wait=…`, again and again
    Poll,
    /// Server-Sent Events
    Sse,
    /// `Subscribe` on a WebSocket
    Ws,
}

impl Follow {
    /// Receives the events of a stream after index `after`, until `heard` returns that it was the last one.
    /// Over `connection`, or one of its own to the Unix socket.
    pub(crate) async fn stream(
        self,
        connection: Connection,
        socket: &Path,
        stream: &str,
        after: u64,
        heard: impl FnMut(&Value) -> Result<bool> + Send,
    ) -> Result<()> {
        match self {
            Self::Poll => poll(connection, stream, after, heard).await,
            Self::Sse => sse(connection, stream, after, heard).await,
            Self::Ws => ws(socket, stream, after, heard).await,
        }
    }
}

async fn poll(
    mut connection: Connection,
    stream: &str,
    mut after: u64,
    mut heard: impl FnMut(&Value) -> Result<bool> + Send,
) -> Result<()> {
    loop {
        let path = format!("/events/{stream}?after={after}&wait={WAIT_SECS}");
        let page = connection.call("GET", &path, "").await?;
        for event in page["events"].as_array().into_iter().flatten() {
            after = event["index"].as_u64().unwrap_or(after);
            if heard(event)? {
                return Ok(());
            }
        }
    }
}

async fn sse(
    connection: Connection,
    stream: &str,
    after: u64,
    mut heard: impl FnMut(&Value) -> Result<bool> + Send,
) -> Result<()> {
    let mut events = connection.follow(&format!("/events/{stream}?after={after}")).await?;
    while !heard(&events.next().await?)? {}
    Ok(())
}

async fn ws(
    socket: &Path,
    stream: &str,
    after: u64,
    mut heard: impl FnMut(&Value) -> Result<bool> + Send,
) -> Result<()> {
    let connection = Address::Unix(socket).connect().await?;
    let (mut socket, _) = client_async("ws://localhost/ws", connection).await?;
    let command = json!({ "id": 1, "cmd": "Subscribe", "params": { "stream_id": stream, "after": after } });
    socket.send(Message::text(command.to_string())).await?;
    while let Some(frame) = socket.next().await {
        let Message::Text(text) = frame? else { continue };
        let message: Value = serde_json::from_str(&text)?;
        if message["type"] == "error" {
            return Err(format!("no subscription: {message}").into());
        }
        if message["type"] == "notification" && heard(&message["data"])? {
            return Ok(());
        }
    }
    Err("the daemon hung up".into())
}
