//! The token in a handshake URL: how Portico writes it, and how wallets read it.
//!
//! Portal's wallets use the token as it stands in the URL, other wallets percent-decode it (RFC 3986 §2.1).
//! So Portico writes it unchanged wherever both read the same. It encodes only characters that would end the
//! parameter or the URL, and a `%` that would be read as the beginning of an escape.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The form of a token in handshake URLs. [`decode_token`] reverses it, so no two tokens have the same form.
pub fn token_in_url(token: &str) -> Cow<'_, str> {
    if !token.char_indices().any(|(at, c)| must_be_encoded(c, &token[at..])) {
        return Cow::Borrowed(token);
    }
    let mut written = String::with_capacity(token.len() + 8);
    for (at, c) in token.char_indices() {
        if must_be_encoded(c, &token[at..]) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(written, "%{byte:02X}");
            }
        } else {
            written.push(c);
        }
    }
    Cow::Owned(written)
}

/// The token as a decoding wallet reads it. Invalid escapes stay unchanged, and so does the whole text if the
/// result would not be UTF-8.
pub fn decode_token(text: &str) -> Cow<'_, str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        if let Some(byte) = escaped(rest) {
            bytes.push(byte);
            rest = &rest[3..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    if bytes.len() == text.len() {
        return Cow::Borrowed(text);
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The common form of all spellings of a token: percent-escapes decoded until there are none, and `+` read as
/// a blank, as wallets do that parse the URL's parameters as form data. Two tokens with the same common form
/// cannot be distinguished by what wallets send.
pub fn common_spelling(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        bytes.push(byte);
        while let Some(decoded) = bytes.len().checked_sub(3).and_then(|at| escaped(&bytes[at..])) {
            bytes.truncate(bytes.len() - 3);
            bytes.push(decoded);
        }
        if let Some(last) = bytes.last_mut().filter(|last| **last == b'+') {
            *last = b' ';
        }
    }
    bytes
}

/// Whether `from` begins with `c`.
fn must_be_encoded(c: char, from: &str) -> bool {
    match c {
        '&' => true,
        '%' => escaped(from.as_bytes()).is_some(),
        _ => c.is_whitespace() || c.is_control(),
    }
}

/// The byte of an escape at the beginning.
fn escaped(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts with many percent signs, blanks and digits, which random ones lack.
    fn token() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[%&2fF0-9a /+à\u{a0}\u{3000}=#?]{0,12}"]
    }

    #[test]
    fn a_token_is_written_as_it_is_but_for_what_a_wallet_could_not_take() {
        let raw = "a:b@c+d=e,f(g)h!i*j'k#l%m/n?o~à\"<>[]{}|^`$;💶";
        assert_eq!(token_in_url(raw), raw);
        for (token, written) in [
            ("R&D", "R%26D"),
            ("on the wall", "on%20the%20wall"),
            ("\u{a0}\u{3000}", "%C2%A0%E3%80%80"),
            ("\n", "%0A"),
            ("100%", "100%"),
            ("%%41", "%%2541"),
            ("a%2Fb", "a%252Fb"),
            ("%2 %zz", "%2%20%zz"),
        ] {
            assert_eq!(token_in_url(token), written);
        }
    }

    #[test]
    fn what_is_no_escape_stays_as_it_is() {
        for (text, decoded) in [
            ("a%2fb%2Fc+%C3%A9", "a/b/c+é"),
            ("%", "%"),
            ("%2", "%2"),
            ("%zz%é%20", "%zz%é "),
            ("%+1", "%+1"),
            ("%C3 %20", "%C3 %20"),
        ] {
            assert_eq!(decode_token(text), decoded, "{text}");
        }
    }

    #[test]
    fn spellings_of_one_token_have_one_common_spelling() {
        for (token, spellings) in [
            ("a/b", &["a%2Fb", "a%2fb", "a%252Fb", "%61%2F%62"][..]),
            ("a b", &["a+b", "a%20b", "a%2Bb", "a%252Bb"]),
            ("à", &["%C3%A0", "%c3%A0"]),
            ("A", &["%41", "%2541", "%25%34%31"]),
            ("100%", &["100%25", "100%2525"]),
        ] {
            for spelling in spellings {
                assert_eq!(common_spelling(spelling), common_spelling(token), "{spelling}");
            }
        }
        for (one, other) in [("a/b", "a/c"), ("a b", "ab"), ("A", "a"), ("%", "%2"), ("%zz", "zz")] {
            assert_ne!(common_spelling(one), common_spelling(other));
        }
    }

    proptest! {
        #[test]
        fn whatever_a_wallet_makes_of_our_url_has_the_common_spelling_of_the_token(token in token()) {
            let written = token_in_url(&token).into_owned();
            let decoded = decode_token(&written).into_owned();
            let as_a_form = decode_token(&written.replace('+', " ")).into_owned();
            for sent in [written, decoded, as_a_form] {
                prop_assert_eq!(common_spelling(&sent), common_spelling(&token), "{}", sent);
            }
        }

        #[test]
        fn every_wallet_can_take_what_is_written_and_decoding_gives_the_token_back(token in token()) {
            let written = token_in_url(&token).into_owned();
            prop_assert!(!written.contains(|c: char| c == '&' || c.is_whitespace() || c.is_control()));
            prop_assert_eq!(decode_token(&written), token);
        }

        #[test]
        fn an_encoding_of_everything_reads_as_the_token(token in token()) {
            let all: String = token.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decode_token(&all), token);
        }
    }
}
