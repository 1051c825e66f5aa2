//! For the fuzzers: reads a client's message as the WebSocket does, without the socket.

use super::ws::request::Request;

/// Reads a message.
pub fn ws_command(text: &str) {
    Request::parse(text);
}
