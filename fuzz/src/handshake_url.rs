//! Handshake URLs, as QR codes contain them.

use portico::protocol::HandshakeUrl;

/// A URL that parses is printed as a URL with the same meaning.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(url) = text.parse::<HandshakeUrl>() else { return };
    let shown = url.to_string();
    assert!(!shown.contains(|c: char| c.is_whitespace() || c.is_control()));
    assert_eq!(shown.parse(), Ok(url));
}
