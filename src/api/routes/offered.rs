//! Reads the tokens in the headers of a user's request. Pure.
//!
//! The headers come from the user: other programs put their cookies and their `Authorization` there, in any bytes.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Authentication schemes (IANA's registry, and other common ones) that programs send without credentials. Any other
/// single word may be a token of Portico.
const SCHEMES: [&str; 18] = [
    "apikey",
    "basic",
    "bearer",
    "concealed",
    "digest",
    "dpop",
    "gnap",
    "hoba",
    "mutual",
    "negotiate",
    "nostr",
    "ntlm",
    "oauth",
    "privatetoken",
    "scram-sha-1",
    "scram-sha-256",
    "token",
    "vapid",
];

/// Where a user's request has one token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) header: &'a HeaderName,
    /// The cookie that is used if the header is missing.
    pub(super) cookie: Option<&'a str>,
    /// Whether a signed request (`Nostr …`) is accepted as this token.
    pub(super) takes_nostr: bool,
}

/// A header or a cookie has two tokens, or one with other characters than visible ASCII.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Source<'_> {
    /// The one token in a header, else in a cookie. `None`: neither has one.
    pub(super) fn read<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, Malformed> {
        let values = headers.get_all(self.header).iter().map(|value| value.as_bytes().trim_ascii());
        let mut values = values.filter(|value| !self.is_none_of_ours(value));
        match (values.next(), values.next()) {
            (Some(value), None) => text(value).map(bearer).map(Some),
            // The app may read the other one of them.
            (Some(_), Some(_)) => Err(Malformed),
            (None, _) => match self.cookie {
                Some(name) => Ok(cookie_value(headers, name)?.map(bearer)),
                None => Ok(None),
            },
        }
    }

    /// Handles a missing token, a scheme without a token, and the `Authorization` of another program, like `Basic …`.
    /// A token of Portico follows `Bearer`, or is alone. A signed request follows `Nostr`.
    fn is_none_of_ours(&self, value: &[u8]) -> bool {
        let is_bearer = |word: &[u8]| word.eq_ignore_ascii_case(b"bearer");
        if value.is_empty() || is_bearer(value) {
            return true;
        }
        if *self.header != header::AUTHORIZATION {
            return false;
        }
        match value.iter().position(u8::is_ascii_whitespace) {
            Some(end) => {
                let scheme = &value[..end];
                let is_nostr = scheme.eq_ignore_ascii_case(b"nostr");
                !(is_bearer(scheme) || self.takes_nostr && is_nostr)
            }
            None => {
                let is_scheme = SCHEMES.iter().any(|scheme| value.eq_ignore_ascii_case(scheme.as_bytes()));
                is_scheme || !value.is_ascii()
            }
        }
    }
}

/// The one value of a cookie. Other cookies are ignored.
fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Malformed> {
    let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    let mut found = None;
    for pair in lines.flat_map(|line| line.split(|byte| *byte == b';')) {
        let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
        let value = unquoted(pair[at + 1..].trim_ascii());
        if pair[..at].trim_ascii() != name.as_bytes() || value.is_empty() {
            continue;
        }
        if found.replace(value).is_some() {
            return Err(Malformed);
        }
    }
    found.map(text).transpose()
}

/// RFC 6265 §4.1.1.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// Tokens contain only visible ASCII.
fn text(value: &[u8]) -> Result<&str, Malformed> {
    str::from_utf8(value).ok().filter(|text| text.is_ascii()).ok_or(Malformed)
}

/// A token without its scheme.
fn bearer(value: &str) -> &str {
    match value.split_once(|c: char| c.is_ascii_whitespace()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => value.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(lines: &[&[u8]]) -> Result<Option<String>, Malformed> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        cookie_value(&headers, "at").map(|value| value.map(str::to_owned))
    }

    #[test]
    fn other_peoples_cookies_are_not_judged() {
        let ours = Ok(Some("token".to_owned()));
        for lines in [
            &[&b"at=token"[..]][..],
            &[b"at=token; name=Jos\xc3\xa9"],
            &[b"name=\xff\xfe; at=token"],
            &[b"name=Jos\xe9", b"at=token"],
            &[b"=x; ;; novalue; at=\"token\"; AT=other"],
            &[b"at=; at=token; at=\"\""],
            &[b"at2=\xff; xat=\xff; at = token "],
        ] {
            assert_eq!(cookies(lines), ours, "{lines:?}");
        }
        assert_eq!(cookies(&[b"at=; b=c"]), Ok(None));
        for lines in [&[&b"at=tok\xc3\xa9n"[..]][..], &[b"at=a; at=b"], &[b"at=a", b"at=a"]] {
            assert_eq!(cookies(lines), Err(Malformed), "{lines:?}");
        }
    }

    const OWN: HeaderName = HeaderName::from_static("x-access-token");

    /// What is read of a header with these values, next to a good cookie.
    fn read(header: &HeaderName, takes_nostr: bool, values: &[&[u8]]) -> Result<Option<String>, Malformed> {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("at=cookie"));
        for value in values {
            headers.append(header, HeaderValue::from_bytes(value).unwrap());
        }
        let source = Source { header, cookie: Some("at"), takes_nostr };
        source.read(&headers).map(|value| value.map(str::to_owned))
    }

    fn token(text: &str) -> Result<Option<String>, Malformed> {
        Ok(Some(text.to_owned()))
    }

    #[test]
    fn an_empty_header_counts_as_none() {
        for values in [&[][..], &[&b""[..]], &[b" \t"], &[b"", b""], &[b"Bearer"], &[b"bearer "]] {
            assert_eq!(read(&OWN, false, values), token("cookie"), "{values:?}");
            assert_eq!(read(&header::AUTHORIZATION, false, values), token("cookie"), "{values:?}");
        }
    }

    #[test]
    fn the_authorization_of_another_program_counts_as_none() {
        for values in [
            &[&b"Basic dXNlcjpwYXNz"[..]][..],
            &[b"Basic jos\xc3\xa9"],
            &[b"Basic\tdXNlcjpwYXNz"],
            &[b"Digest username=\"x\", uri=\"/\""],
            &[b"Nostr abc"],
            &[b"nostr eyJ.a.b"],
            &[b"Nostr"],
            &[b"NOSTR "],
            &[b"Basic"],
            &[b"Negotiate"],
            &[b"DPoP"],
            &[b"\xe9"],
            &[b"\xc3\xa9"],
            &[b"\xe9 token"],
            &[b"Basic a", b"Basic a"],
            &[b"Basic a", b"Nostr b", b"\xe9", b""],
        ] {
            assert_eq!(read(&header::AUTHORIZATION, false, values), token("cookie"), "{values:?}");
            let beside = [values, &[b"Bearer ours"]].concat();
            assert_eq!(read(&header::AUTHORIZATION, false, &beside), token("ours"), "{beside:?}");
        }
    }

    #[test]
    fn a_signed_request_is_a_credential_only_where_such_wallets_are_on() {
        assert_eq!(read(&header::AUTHORIZATION, true, &[b"Nostr abc"]), token("Nostr abc"));
        assert_eq!(read(&header::AUTHORIZATION, true, &[b"Nostr a", b"nostr b"]), Err(Malformed));
        for values in [&[&b"Nostr"[..]][..], &[b"Basic a"], &[b"Basic a", b"Basic a"]] {
            assert_eq!(read(&header::AUTHORIZATION, true, values), token("cookie"), "{values:?}");
        }
    }

    #[test]
    fn what_could_be_a_token_of_ours_is_not_skipped() {
        for value in [&b"e.y.J"[..], b"Bearer e.y.J", b"bearer\te.y.J", b"BEARER  e.y.J "] {
            for header in [&OWN, &header::AUTHORIZATION] {
                assert_eq!(read(header, false, &[value]), token("e.y.J"), "{value:?}");
            }
        }
        assert_eq!(read(&header::AUTHORIZATION, false, &[b"eyJ0"]), token("eyJ0"));
        assert_eq!(read(&OWN, false, &[b"", b"token"]), token("token"));
        assert_eq!(read(&OWN, false, &[b"Basic a"]), token("Basic a"));
        for header in [&OWN, &header::AUTHORIZATION] {
            assert_eq!(read(header, false, &[b"e.y.J", b"e.y.J"]), Err(Malformed));
            assert_eq!(read(header, false, &[b"Bearer a", b"b"]), Err(Malformed));
            assert_eq!(read(header, false, &[b"Bearer tok\xe9n"]), Err(Malformed));
        }
        assert_eq!(read(&OWN, false, &[b"tok\xe9n"]), Err(Malformed));
    }
}
