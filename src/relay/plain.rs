//! Which relay URLs Portico accepts.

use nostr_sdk::{RelayUrl, Url};

/// Whether a relay URL has no user name, no password and no fragment (RFC 6455 §3).
pub fn is_plain(url: &RelayUrl) -> bool {
    let url: &Url = url.into();
    url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}
