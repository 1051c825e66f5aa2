//! The relays that a wallet prefers: hints of a stranger, accepted only under conditions.
//!
//! Pure: addresses behind names are checked when they are resolved, in `dial`.

use nostr_sdk::prelude::{RelayUrl, Url};
use url::Host;

use crate::address;

/// No real relay has a longer URL.
const MAX_URL: usize = 256;

/// The first `max` different URLs of `urls` to which Portico may connect.
pub(super) fn acceptable(urls: &[String], allow_private: bool, max: usize) -> Vec<RelayUrl> {
    let mut accepted: Vec<RelayUrl> = Vec::new();
    for url in urls.iter().filter(|url| url.len() <= MAX_URL) {
        if accepted.len() == max {
            break;
        }
        let Ok(url) = RelayUrl::parse(url.trim()) else { continue };
        if !accepted.contains(&url) && is_acceptable(&url, allow_private) {
            accepted.push(url);
        }
    }
    accepted
}

/// Whether Portico may connect to this URL that a stranger named, judged by the URL alone.
pub(super) fn is_acceptable(url: &RelayUrl, allow_private: bool) -> bool {
    let url: &Url = url.into();
    let plain = url.scheme() == "ws" && !(allow_private && is_loopback(url));
    // Credentials and fragments have no business in a relay's URL.
    let decorated = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
    !plain && !decorated && (allow_private || !is_private_literal(url))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        _ => address::literal(url).is_some_and(|ip| ip.is_loopback()),
    }
}

fn is_private_literal(url: &Url) -> bool {
    address::literal(url).is_some_and(|ip| !address::is_public(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(urls: &[&str]) -> Vec<String> {
        urls.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_public_wss_relay_is_acceptable() {
        for url in ["wss://relay.example.com", "wss://1.1.1.1:8080/path", "wss://[2606:4700::1]"] {
            assert_eq!(acceptable(&strings(&[url]), false, 3).len(), 1, "{url}");
        }
    }

    #[test]
    fn a_stranger_cannot_name_a_private_address_or_a_plain_connection() {
        for url in [
            "ws://relay.example.com",
            "https://relay.example.com",
            "wss://127.0.0.1",
            "wss://2130706433",
            "wss://0x7f.1",
            "wss://10.1.2.3",
            "wss://169.254.169.254/latest/meta-data",
            "wss://[::1]",
            "wss://[::ffff:10.0.0.1]",
            "ws://127.0.0.1:7777",
            "wss://user:secret@relay.example.com",
            "wss://relay.example.com/#fragment",
            "not a url",
            "",
        ] {
            assert!(acceptable(&strings(&[url]), false, 3).is_empty(), "{url}");
        }
    }

    #[test]
    fn plain_connections_are_for_loopback_when_private_addresses_are_allowed() {
        let urls = strings(&["ws://127.0.0.1:1", "ws://localhost:2", "ws://[::1]:3", "ws://10.0.0.1:4"]);
        assert_eq!(acceptable(&urls, true, 9).len(), 3);
        assert_eq!(acceptable(&strings(&["wss://10.0.0.1"]), true, 9).len(), 1);
    }

    #[test]
    fn repeated_urls_count_once_and_no_more_than_the_limit_are_taken() {
        let urls = strings(&["wss://a.example", "wss://a.example/", "wss://b.example", "wss://c.example"]);
        let accepted = acceptable(&urls, false, 2);
        assert_eq!(
            accepted.iter().map(RelayUrl::as_str).collect::<Vec<_>>(),
            ["wss://a.example", "wss://b.example"]
        );
    }
}
