//! The one place that makes URLs and paths safe to show in logs, metrics, answers and error texts: the user, password,
//! query or fragment of a URL may be a secret.
//!
//! For a URL in use, the parser knows which part is which. For a rejected text nothing is certain: a password with a
//! `/` looks like a path, and a password with a `:` like a port. So only the scheme and the host of a rejected text are
//! shown, and only if they are certain.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nostr_sdk::RelayUrl;
use sha2::{Digest, Sha256};
use url::{ParseError, Position, Url};

use crate::quoted::misleads;

const REDACTED: &str = "[redacted]";
/// The length of the tag for a query, in hexadecimal digits of its hash.
const TAG: usize = 8;

/// The schemes of the URLs that Portico uses. For these, all parsers find the same host.
const SCHEMES: [&str; 4] = ["wss", "ws", "https", "http"];

/// Texts that a reader or another program may read as the `@` after a user and a password.
const LIKE_AN_AT: [&str; 6] = ["@", "%40", "\u{ff20}", "\u{fe6b}", "%EF%BC%A0", "%EF%B9%AB"];

/// A relay's URL, safe to show. A tag replaces the query, so that relays that differ only in it can be told
/// apart.
pub fn relay(relay: &RelayUrl) -> String {
    let mut shown = url(relay.into());
    match (relay.as_str().split_once('?'), shown.find('?')) {
        (Some((_, query)), Some(at)) => {
            let hash = hex::encode(Sha256::digest(query));
            shown.truncate(at);
            format!("{shown}?[{}]", hash.get(..TAG).unwrap_or_default())
        }
        _ if relay.as_str().ends_with('/') || shown.ends_with(REDACTED) => shown,
        // As people write it.
        _ => shown.trim_end_matches('/').to_owned(),
    }
}

/// A URL in use, safe to show.
pub fn url(url: &Url) -> String {
    let tail = match (url.query(), url.fragment()) {
        (Some(_), _) => "?[redacted]",
        (None, Some(_)) => "#[redacted]",
        (None, None) => "",
    };
    format!("{}{}{tail}", origin(url), &url[Position::BeforePath..Position::AfterPath])
}

/// A text that was rejected as a URL, safe to show: scheme and host if they are certain, else the
/// scheme, else nothing of it.
pub fn refused(text: &str) -> String {
    match Url::parse(text).ok().filter(is_certain) {
        Some(url) if url[Position::BeforePath..].len() > 1 => format!("{}/{REDACTED}", origin(&url)),
        Some(url) => format!("{}{}", origin(&url), url.path()),
        None => scheme(text).map_or_else(|| REDACTED.to_owned(), |scheme| format!("{scheme}://{REDACTED}")),
    }
}

/// The reason why a text is not a URL, without any part of the text.
pub fn fault(error: ParseError) -> &'static str {
    match error {
        ParseError::RelativeUrlWithoutBase => "it has no scheme",
        ParseError::EmptyHost => "it has no host",
        ParseError::InvalidPort => "the port is not a number up to 65535",
        ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address => "the IP address is malformed",
        _ => "the host is malformed",
    }
}

/// The URL up to the path.
fn origin(url: &Url) -> String {
    let is_bare = url.username().is_empty() && url.password().is_none();
    let user = if is_bare { "" } else { "[redacted]@" };
    format!("{}://{user}{}", url.scheme(), &url[Position::BeforeHost..Position::AfterPort])
}

/// Whether the host is certain: no other part of the text could be meant as the host.
fn is_certain(url: &Url) -> bool {
    let after = &url[Position::BeforeHost..];
    SCHEMES.contains(&url.scheme()) && !LIKE_AN_AT.iter().any(|at| after.contains(at))
}

/// The scheme of a text that may not be a URL.
fn scheme(text: &str) -> Option<&'static str> {
    let (front, _) = text.trim_start().split_once(':')?;
    SCHEMES.into_iter().find(|scheme| front.eq_ignore_ascii_case(scheme))
}

/// A path as text for people and programs. Bytes that are not UTF-8, line feeds and other characters that change the text
/// around them are escaped as `\xff`.
pub fn path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        // Writing to a `String` does not fail.
        let escape = |text: &mut String, byte: u8| {
            let _ = write!(text, "\\x{byte:02x}");
        };
        for c in chunk.valid().chars() {
            if misleads(c) {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| escape(&mut text, byte));
            } else {
                text.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| escape(&mut text, *byte));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        url(&Url::parse(text).unwrap())
    }

    fn shown_relay(text: &str) -> String {
        relay(&RelayUrl::parse(text).unwrap())
    }

    #[test]
    fn a_path_cannot_forge_a_line_of_the_terminal_or_the_log() {
        let hostile = std::ffi::OsStr::from_bytes(b"a\nERROR\x1b[2J\xff\xe2\x80\xaeb/\xc3\xa9");
        assert_eq!(path(Path::new(hostile)), r"a\x0aERROR\x1b[2J\xff\xe2\x80\xaeb/é");
    }

    #[test]
    fn bytes_of_a_path_that_are_not_utf_8_are_escaped_and_the_rest_stays() {
        let named = Path::new(OsStr::from_bytes(b"/tmp/\xff\xfe/Zo\xc3\xab"));
        assert_eq!(path(named), r"/tmp/\xff\xfe/Zoë");
    }

    #[test]
    fn a_url_without_secrets_is_shown_as_it_is() {
        for text in [
            "wss://relay.example/",
            "ws://127.0.0.1:7000/path/",
            "https://a.example/x",
            "wss://h.example/@x",
            "wss://[::1]:7000/a:b",
        ] {
            assert_eq!(shown(text), text);
            assert_eq!(shown_relay(&text.replace("https", "wss")), text.replace("https", "wss"));
        }
        assert_eq!(shown_relay("wss://relay.example"), "wss://relay.example");
        assert_eq!(shown_relay("wss://relay.example/x//"), "wss://relay.example/x//");
    }

    #[test]
    fn of_a_url_in_use_user_query_and_fragment_are_left_out() {
        for (text, expected) in [
            ("ws://user:secret@host/x", "ws://[redacted]@host/x"),
            ("ws://secret@host", "ws://[redacted]@host/"),
            ("ws://:secret@host", "ws://[redacted]@host/"),
            ("ws://a@secret:b@host", "ws://[redacted]@host/"),
            ("wss://host/?key=secret", "wss://host/?[redacted]"),
            ("wss://host/#secret", "wss://host/#[redacted]"),
            ("wss://host/?a=secret#secret", "wss://host/?[redacted]"),
            ("wss://u:p@h.example/@x", "wss://[redacted]@h.example/@x"),
        ] {
            assert_eq!(shown(text), expected);
        }
        // printf key=secret | sha256sum
        assert_eq!(shown_relay("wss://host/?key=secret"), "wss://host/?[0b60fff1]");
        assert_eq!(shown_relay("wss://host/x#secret/"), "wss://host/x#[redacted]");
    }

    #[test]
    fn of_what_was_refused_only_a_certain_host_and_the_scheme_are_shown() {
        for (text, expected) in [
            ("http://x", "http://x/"),
            ("HTTP://X.example:8080", "http://x.example:8080/"),
            ("https://h.example/secret", "https://h.example/[redacted]"),
            ("wss://h.example/?secret", "wss://h.example/[redacted]"),
            ("wss://h.example#secret", "wss://h.example/[redacted]"),
            ("https://user:secret@h.example", "https://[redacted]@h.example/"),
            ("ws:\\\\user:secret@host", "ws://[redacted]@host/"),
            ("https:/user:secret@host/x", "https://[redacted]@host/[redacted]"),
            ("wss://[secret", "wss://[redacted]"),
            ("wss://[secret]", "wss://[redacted]"),
            ("wss://[::1]secret", "wss://[redacted]"),
            ("wss://h.example:99999/secret", "wss://[redacted]"),
            ("wss://h.example:secret/", "wss://[redacted]"),
            ("wss://u\u{ff1a}secret\u{ff20}h", "wss://[redacted]"),
            ("wss://secret%40h.example", "wss://[redacted]"),
            ("wss://user:12/secret@h.example", "wss://[redacted]"),
            ("wss://sec?ret@h.example", "wss://[redacted]"),
            ("wss://sec#ret@h.example", "wss://[redacted]"),
            ("wss://u:sec/ret@h.example/x", "wss://[redacted]"),
            ("wss://1/secret\u{ff20}h.example", "wss://[redacted]"),
            ("https://user:secret@ho st/?secret", "https://[redacted]"),
            (" WSS://[secret", "wss://[redacted]"),
            ("wss:", "wss://[redacted]"),
            ("ftp://secret", "[redacted]"),
            ("x://u%3Asecret%40h", "[redacted]"),
            ("user:secret@host", "[redacted]"),
            ("secret@host", "[redacted]"),
            ("secret://x", "[redacted]"),
            ("secret", "[redacted]"),
            ("", "[redacted]"),
        ] {
            assert_eq!(refused(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_shown_of_what_cannot_be_read(
            scheme in "(wss|ws|https|http|WsS|ftp|[a-z]{0,3}):?/{0,3}",
            front in "\\PC{0,8}|[\\[\\]:@/?#%\\\\ ]{0,4}|(u:|h.example:|\\[::)?",
            back in "\\PC{0,8}|[\\[\\]:@/?#%\\\\ ]{0,4}|(\\]|@h|:99999/x)?",
        ) {
            // No part of a scheme, and of no hash.
            const MARKER: &str = "geheimzzz";
            let text = format!("{scheme}{front}{MARKER}{back}");
            if Url::parse(&text).is_err() {
                let shown = refused(&text);
                prop_assert!(!shown.contains(MARKER), "{text:?} as {shown:?}");
            }
        }

        #[test]
        fn a_secret_is_shown_in_no_part_of_what_was_refused_but_the_host(
            text in "(wss|https)://((u:)?geheimzzz@)?h\\.example(:[0-9]{1,7})?(/a?geheimzzz)?(\\?geheimzzz)?(#geheimzzz)?",
        ) {
            prop_assert!(!refused(&text).contains("geheimzzz"), "{text:?}");
        }
    }
}
