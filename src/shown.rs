//! The one place that makes a URL fit to be shown in logs, metrics, answers and error texts: a user, a password, a
//! query or a fragment may be a secret.

use std::borrow::Cow;

use nostr_sdk::RelayUrl;

const REDACTED: &str = "[redacted]";

/// A relay's URL, fit to be shown.
pub fn relay(relay: &RelayUrl) -> String {
    url(&relay.to_string()).into_owned()
}

/// What is meant to be a URL, fit to be shown; one without anything secret as it is.
pub fn url(text: &str) -> Cow<'_, str> {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let (front, tail) = text.split_at(end);
    let after_scheme = front.find("//").map_or(0, |at| at + 2);
    let (scheme, rest) = front.split_at(after_scheme);
    // Some parsers take a backslash for a slash: whatever stands before the last @ is left out.
    let host = rest.rfind('@').map_or(rest, |at| rest.get(at + 1..).unwrap_or_default());
    if tail.is_empty() && host.len() == rest.len() {
        return Cow::Borrowed(text);
    }
    let user = if host.len() == rest.len() { String::new() } else { format!("{REDACTED}@") };
    let tail = tail.chars().next().map(|mark| format!("{mark}{REDACTED}")).unwrap_or_default();
    Cow::Owned(format!("{scheme}{user}{host}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_secrets_is_shown_as_it_is() {
        for text in
            ["wss://relay.example", "ws://127.0.0.1:7000/path/", "https://a.example/x", "not a url", ""]
        {
            assert_eq!(url(text), text);
        }
    }

    #[test]
    fn whatever_may_be_a_secret_is_left_out() {
        for (text, expected) in [
            ("ws://user:secret@host/x", "ws://[redacted]@host/x"),
            ("ws://secret@host", "ws://[redacted]@host"),
            ("ws://a@secret:b@host", "ws://[redacted]@host"),
            ("ws:\\\\user:secret@host", "[redacted]@host"),
            ("wss://host/?key=secret", "wss://host/?[redacted]"),
            ("wss://host/#secret", "wss://host/#[redacted]"),
            ("wss://host/?a=secret#secret", "wss://host/?[redacted]"),
            ("user:secret@host", "[redacted]@host"),
            ("https://user:secret@ho st/?secret", "https://[redacted]@ho st/?[redacted]"),
        ] {
            assert_eq!(url(text), expected);
        }
        let relay_url = RelayUrl::parse("wss://host/?key=secret").unwrap();
        assert_eq!(relay(&relay_url), "wss://host/?[redacted]");
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic_and_no_query_is_left(front in "\\PC*", secret in "[a-z]{9}") {
            let text = format!("{front}?{secret}");
            proptest::prop_assert!(!url(&text).contains(&secret) || front.contains(&secret));
        }
    }
}
