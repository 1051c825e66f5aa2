//! A door for the fuzzers: a client's message read as the WebSocket reads it, without the socket.

use super::ws::request::Request;

/// Reads a message.
pub fn ws_command(text: &str) {
    Request::parse(text);
}
