//! A client of the WebSocket API.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::rest::{Stream, connect_as};
use super::soon;

/// A WebSocket. What comes before it is asked for is kept.
pub(crate) struct Socket {
    socket: WebSocketStream<Box<dyn Stream>>,
    kept: VecDeque<Value>,
    commands: u64,
}

impl Socket {
    pub(crate) async fn unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).await.unwrap();
        Self::over("ws://portico/ws", Box::new(stream)).await
    }

    /// As another user of this machine, which takes root.
    pub(crate) async fn unix_as(uid: u32, path: &Path) -> Self {
        Self::over("ws://portico/ws", Box::new(connect_as(uid, path.to_owned()))).await
    }

    pub(crate) async fn tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(&format!("ws://{address}/ws"), Box::new(stream)).await
    }

    async fn over(url: &str, stream: Box<dyn Stream>) -> Self {
        let (socket, _) = soon("a WebSocket", client_async(url, stream)).await.unwrap();
        Self { socket, kept: VecDeque::new(), commands: 0 }
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn command(&mut self, cmd: &str, params: Value) -> Value {
        let id = self.send(cmd, params).await;
        self.answer(&id).await
    }

    /// Sends a command; the id that its answer will have.
    pub(crate) async fn send(&mut self, cmd: &str, params: Value) -> String {
        self.commands += 1;
        let id = format!("c{}", self.commands);
        self.send_raw(&json!({ "id": id, "cmd": cmd, "params": params }).to_string()).await;
        id
    }

    /// Sends any text.
    pub(crate) async fn send_raw(&mut self, text: &str) {
        soon("the socket to take a frame", self.socket.send(Message::text(text))).await.unwrap();
    }

    /// Sends any text, if the daemon still takes it.
    pub(crate) async fn try_send_raw(&mut self, text: &str) -> bool {
        soon("the socket to take a frame", self.socket.send(Message::text(text))).await.is_ok()
    }

    /// Sends a frame that is not text.
    pub(crate) async fn send_binary(&mut self, bytes: &'static [u8]) {
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    /// The answer to a command.
    pub(crate) async fn answer(&mut self, id: &str) -> Value {
        self.message(|message| message["id"] == id && message["type"] != "notification").await
    }

    /// What a command came to, if it went well.
    pub(crate) async fn data(&mut self, cmd: &str, params: Value) -> Value {
        let mut answer = self.command(cmd, params).await;
        assert_eq!(answer["type"], "success", "{answer}");
        answer["data"].take()
    }

    /// Follows a stream.
    pub(crate) async fn subscribe(&mut self, stream: &str, after: u64) {
        self.data("Subscribe", json!({ "stream_id": stream, "after": after })).await;
    }

    /// The next event of a stream.
    pub(crate) async fn notification(&mut self, stream: &str) -> Value {
        let mut message =
            self.message(|message| message["id"] == stream && message["type"] == "notification").await;
        message["data"].take()
    }

    /// The events of a stream until it ends.
    pub(crate) async fn until_ended(&mut self, stream: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let mut message = self.message(|message| message["id"] == stream).await;
            match message["type"].as_str() {
                Some("notification") => events.push(message["data"].take()),
                Some("ended") => return events,
                _ => panic!("unexpected: {message}"),
            }
        }
    }

    async fn message(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&is_wanted) {
            return self.kept.remove(at).unwrap();
        }
        soon("a message", async {
            loop {
                let message = match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    other => panic!("the daemon closed the connection: {other:?}"),
                };
                if is_wanted(&message) {
                    return message;
                }
                self.kept.push_back(message);
            }
        })
        .await
    }

    /// Sends a frame as it is.
    pub(crate) async fn send_frame(&mut self, opcode: OpCode, payload: &'static [u8]) {
        let frame = Frame::message(payload, opcode, true);
        soon("the frame to go out", self.socket.send(Message::Frame(frame))).await.unwrap();
    }

    /// Reads until the daemon closes the connection: what it said, and the close frame if there was one.
    pub(crate) async fn until_closed(mut self) -> (Vec<Value>, Option<CloseFrame>) {
        let mut said: Vec<Value> = self.kept.drain(..).collect();
        let closed = soon("the end of the connection", async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => said.push(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(frame))) => return frame,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        });
        let closed = closed.await;
        (said, closed)
    }

    /// Sends again and again without ever reading, until the daemon has had enough.
    pub(crate) async fn send_without_reading(&mut self, text: &str) {
        soon("the daemon to hang up", async { while self.socket.send(Message::text(text)).await.is_ok() {} })
            .await;
    }
}
