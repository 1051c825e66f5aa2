//! Frames of relays: the sorting on the network loop, and the check of events.

/// Any text may come from a relay.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    portico::fuzzing::relay_frame(text);
}
