//! Which URLs of relays are taken from others.

use nostr_sdk::{RelayUrl, Url};

/// Whether a relay's URL carries no user name or password, nor a fragment (RFC 6455 §3).
pub fn is_plain(url: &RelayUrl) -> bool {
    let url: &Url = url.into();
    url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}
