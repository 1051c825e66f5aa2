//! The one place that makes a URL fit to be shown in logs, metrics, answers and error texts: a user, a password, a
//! query or a fragment may be a secret.

use std::borrow::Cow;

use nostr_sdk::RelayUrl;
use sha2::{Digest, Sha256};
use url::Url;

const REDACTED: &str = "[redacted]";
/// How much of the hash of a query is shown, in hexadecimal digits.
const TAG: usize = 8;
const REDACTED_USER: &str = "[redacted]@";

/// A relay's URL, fit to be shown. A tag stands for the query, so that relays that differ in it alone can be told
/// apart.
pub fn relay(relay: &RelayUrl) -> String {
    let text = relay.to_string();
    let shown = url(&text);
    match (text.split_once('?'), shown.split_once('?')) {
        (Some((_, query)), Some((front, _))) => {
            let hash = hex::encode(Sha256::digest(query));
            format!("{front}?[{}]", hash.get(..TAG).unwrap_or_default())
        }
        _ => shown.into_owned(),
    }
}

/// What is meant to be a URL, fit to be shown; one without anything secret as it is.
pub fn url(text: &str) -> Cow<'_, str> {
    let (scheme, rest) = text.split_at(scheme(text));
    let (hidden, rest) = if parses(text) { user(rest) } else { what_may_be_a_user(rest) };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (front, tail) = rest.split_at(end);
    if hidden.is_empty() && tail.is_empty() {
        return Cow::Borrowed(text);
    }
    let tail = tail.chars().next().map(|mark| format!("{mark}{REDACTED}")).unwrap_or_default();
    Cow::Owned(format!("{scheme}{hidden}{front}{tail}"))
}

/// Where the scheme and its slashes end.
fn scheme(text: &str) -> usize {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    match text.find("://") {
        Some(at) if text.chars().take(at).all(is_letter) => at + 3,
        _ => 0,
    }
}

/// Is it certain which part of the text is what? Parsers forgive spaces, backslashes and slashes.
fn parses(text: &str) -> bool {
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    let has_host = scheme(text) > 0 && !text[scheme(text)..].starts_with('/');
    is_plain && has_host && Url::parse(text).is_ok_and(|url| url.has_host())
}

/// What to show for the user and the password of a URL, and the rest of it after them.
fn user(rest: &str) -> (&'static str, &str) {
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest.get(..authority).and_then(|authority| authority.rfind('@')) {
        Some(at) => (REDACTED_USER, rest.get(at + 1..).unwrap_or_default()),
        None => ("", rest),
    }
}

/// The same of a text that may have been meant otherwise: what stands before an `@`, or after a `:` that names no
/// port, may be a password, and everything up to the path after it is left out.
fn what_may_be_a_user(rest: &str) -> (&'static str, &str) {
    let Some(last) = rest.char_indices().rfind(|(at, c)| may_end_a_user(rest, *at, *c)) else {
        return ("", rest);
    };
    let after = rest.get(last.0..).unwrap_or_default();
    // A query may hold a slash.
    let path = after.find(['/', '?', '#']).filter(|at| after[*at..].starts_with('/'));
    let in_query = rest[..last.0].contains(['?', '#']);
    (REDACTED, path.filter(|_| !in_query).and_then(|at| after.get(at..)).unwrap_or_default())
}

fn may_end_a_user(rest: &str, at: usize, c: char) -> bool {
    let is_port = || {
        let port = rest.get(at + 1..).unwrap_or_default();
        let port = port.get(..port.find(['/', '?', '#']).unwrap_or(port.len())).unwrap_or_default();
        port.parse::<u16>().is_ok()
    };
    c == '@' || (c == ':' && !is_port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_secrets_is_shown_as_it_is() {
        for text in [
            "wss://relay.example",
            "ws://127.0.0.1:7000/path/",
            "https://a.example/x",
            "wss://h.example/@x",
            "wss://[::1]:7000/a:b",
            "relay.example:7000/x",
            "not a url",
            "",
        ] {
            assert_eq!(url(text), text);
        }
    }

    #[test]
    fn whatever_may_be_a_secret_is_left_out() {
        for (text, expected) in [
            ("ws://user:secret@host/x", "ws://[redacted]@host/x"),
            ("ws://secret@host", "ws://[redacted]@host"),
            ("ws://a@secret:b@host", "ws://[redacted]@host"),
            ("ws:\\\\user:secret@host", "[redacted]"),
            ("wss://host/?key=secret", "wss://host/?[redacted]"),
            ("wss://host/#secret", "wss://host/#[redacted]"),
            ("wss://host/?a=secret#secret", "wss://host/?[redacted]"),
            ("user:secret@host", "[redacted]"),
            ("https://user:secret@ho st/?secret", "https://[redacted]/?[redacted]"),
            ("https:/user:secret@host://x", "[redacted]//x"),
            ("user:secret@host//x", "[redacted]//x"),
            ("user:secret://x", "[redacted]//x"),
            ("wss://user:secret", "wss://[redacted]"),
            ("wss://u:secret%40h.example", "wss://[redacted]"),
            ("wss://u:sec?ret@h.example", "wss://[redacted]"),
            ("wss://u:sec#ret@h.example/x", "wss://[redacted]"),
            ("wss://u:sec/ret@h.example/x", "wss://[redacted]/x"),
            ("wss://h.example:secret/", "wss://[redacted]/"),
            ("wss://h.example:99999/x?secret", "wss://[redacted]/x?[redacted]"),
            ("wss://ho st/?key=a@b/secret", "wss://[redacted]"),
            ("https:/user:secret/x", "[redacted]/x"),
            ("wss:///user:secret@h.example", "wss://[redacted]"),
            ("wss://u:p@h.example/@x", "wss://[redacted]@h.example/@x"),
        ] {
            assert_eq!(url(text), expected);
        }
        let relay_url = RelayUrl::parse("wss://host/?key=secret").unwrap();
        // printf key=secret | sha256sum
        assert_eq!(relay(&relay_url), "wss://host/?[0b60fff1]");
        assert_eq!(relay(&RelayUrl::parse("wss://host/x").unwrap()), "wss://host/x");
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic_and_no_query_is_left(front in "\\PC*", secret in "[a-z]{9}") {
            let text = format!("{front}?{secret}");
            proptest::prop_assert!(!url(&text).contains(&secret) || front.contains(&secret));
        }
    }
}
