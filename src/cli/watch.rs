//! `portico watch`: a stream of events, as they come.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::client::Target;
use super::{CommandResult, Exit, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// The stream, as `stream_id` of a handshake, login or authentication
    #[arg(value_name = "STREAM")]
    stream: String,
    /// Only events behind this index
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    /// Print JSON, one event a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let mut events = Stream::open(&args.target, &args.stream, args.after).await?;
    while let Some(mut event) = events.next().await? {
        if let Some(status) = event.get_mut("status").and_then(Value::as_object_mut) {
            // A terminal is no place for a secret.
            status.remove("session_token");
        }
        if args.json {
            println!("{event}");
        } else {
            let (index, at, kind) = (&event["index"], &event["timestamp"], &event["type"]);
            println!("{index:>4}  {}  {}", at.as_str().unwrap_or("?"), kind.as_str().unwrap_or("?"));
            for (name, value) in event.as_object().into_iter().flatten() {
                if !matches!(name.as_str(), "index" | "timestamp" | "type") {
                    println!("      {name}: {value}");
                }
            }
        }
    }
    Ok(Exit::Success)
}

/// The events of a stream, followed over the daemon's WebSocket.
pub(super) struct Stream {
    socket: WebSocketStream<UnixStream>,
}

impl Stream {
    pub(super) async fn open(target: &Target, stream: &str, after: u64) -> Result<Self, Failure> {
        let mut socket = target.websocket().await?;
        let command =
            json!({ "id": "watch", "cmd": "Subscribe", "params": { "stream_id": stream, "after": after } });
        socket.send(Message::text(command.to_string())).await.map_err(broken)?;
        Ok(Self { socket })
    }

    /// The next event; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Failure> {
        while let Some(message) = self.socket.next().await {
            let Message::Text(text) = message.map_err(broken)? else { continue };
            let mut message: Value = serde_json::from_str(&text).map_err(broken)?;
            match message["type"].as_str() {
                Some("notification") => return Ok(Some(message["data"].take())),
                Some("ended") => return Ok(None),
                Some("error") => {
                    let reason = message["message"].as_str().unwrap_or("refused");
                    return Err(Failure::new(Exit::No, reason));
                }
                _ => {}
            }
        }
        Err(Failure::new(Exit::Unavailable, "the daemon closed the connection"))
    }
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Unavailable, format!("the daemon broke off: {error}"))
}
