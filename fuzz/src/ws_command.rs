//! Messages of clients on the WebSocket.

/// Any text may come from a client.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    portico::fuzzing::ws_command(text);
}
