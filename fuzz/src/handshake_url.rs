//! Handshake URLs, as they stand in QR codes.

use portico::protocol::HandshakeUrl;

/// Whatever parses is shown as a URL that says the same.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(url) = text.parse::<HandshakeUrl>() else { return };
    let shown = url.to_string();
    assert!(!shown.contains(|c: char| c.is_whitespace() || c.is_control()));
    assert_eq!(shown.parse(), Ok(url));
}
