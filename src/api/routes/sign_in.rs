//! The redirect of a browser to the sign-in page, and the path that it comes back to. Pure.
//!
//! A user, or the author of a link, controls what a browser asks for. So no part of it may lead to another site.

use std::fmt::Write;

use axum::http::HeaderMap;
use url::form_urlencoded;

use crate::api::user_request::Visit;
use crate::http::accept;

/// The parameter of the sign-in page that has the path to come back to.
const RETURN_TO: &str = "return_to";

/// The parameter of `/auth/forward` that names the sign-in page.
const SIGN_IN: &str = "sign_in";

/// Longer paths do not fit the headers of some proxies.
const MAX_TARGET: usize = 2048;

/// The sign-in page that a gateway names; `Err`: it is named twice, or is not a path of this site.
pub(super) fn page_in(query: &str) -> Result<Option<String>, &'static str> {
    let mut pages = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| is_page(name));
    match (pages.next(), pages.next()) {
        (None, _) => Ok(None),
        (Some((_, page)), None) if is_on_this_site(&page) && !page.contains('#') => Ok(Some(page.into())),
        _ => Err("query: sign_in must be given once, as a path of your site like /sign-in"),
    }
}

/// Whether a parameter names the sign-in page.
pub(super) fn is_page(name: &str) -> bool {
    name == SIGN_IN
}

/// The path that a browser comes back to, percent-encoded. `None`: the client is not a browser, or did not ask for a
/// page, or the gateway does not report the path.
pub(super) fn return_to(headers: &HeaderMap, visit: Option<Visit<'_>>) -> Option<String> {
    let visit = visit?;
    if !matches!(visit.method, b"GET" | b"HEAD") || !accept::wants_html(headers) {
        return None;
    }
    let target = visit.target.map(in_ascii).filter(|target| is_on_this_site(target));
    Some(form_urlencoded::byte_serialize(target.as_deref().unwrap_or("/").as_bytes()).collect())
}

/// Path and query in the form of a URI (RFC 3986 §2.1): some clients send bytes beyond ASCII unencoded.
fn in_ascii(target: &[u8]) -> String {
    target.iter().fold(String::with_capacity(target.len()), |mut encoded, byte| {
        if byte.is_ascii() {
            encoded.push(char::from(*byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// The sign-in page with the path to come back to, from [`return_to`].
pub(super) fn location(page: &str, return_to: &str) -> String {
    let joint = if page.contains('?') { '&' } else { '?' };
    format!("{page}{joint}{RETURN_TO}={return_to}")
}

/// Whether a redirect to this path keeps a browser on its site. Browsers take `\` for `/`, ignore tabs and line ends,
/// and read the part after two slashes as a host (WHATWG URL).
fn is_on_this_site(target: &str) -> bool {
    let is_visible = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_visible && target.len() <= MAX_TARGET && target.starts_with('/') && !target.starts_with("//")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    fn returns(method: &str, target: &[u8], accept: &[u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_bytes(accept).unwrap());
        return_to(&headers, Some(Visit { method: method.as_bytes(), target: Some(target) }))
    }

    #[test]
    fn a_browser_comes_back_to_the_page_that_it_asked_for_query_included() {
        let accept = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (target, expected) in [
            (&b"/notes?x=1&y=%26#z"[..], "%2Fnotes%3Fx%3D1%26y%3D%2526%23z"),
            (b"/", "%2F"),
            (b"/a/../b//c", "%2Fa%2F..%2Fb%2F%2Fc"),
            (b"/caf\xe9?x=\xe9", "%2Fcaf%25E9%3Fx%3D%25E9"),
            (b"/caf\xc3\xa9", "%2Fcaf%25C3%25A9"),
            // Fullwidth slashes: no browser takes them for a host in this form.
            (b"/\xef\xbc\x8fevil.example", "%2F%25EF%25BC%258Fevil.example"),
        ] {
            assert_eq!(returns("GET", target, accept).as_deref(), Some(expected), "{expected}");
        }
        assert_eq!(returns("HEAD", b"/", b"Text/HTML; level=1; Q=0.5").as_deref(), Some("%2F"));
        assert_eq!(returns("GET", b"/", b"x/\xe9, text/html").as_deref(), Some("%2F"));
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        let twice = return_to(&headers, Some(Visit { method: b"GET", target: None }));
        assert_eq!(twice.as_deref(), Some("%2F"));
    }

    #[test]
    fn a_program_is_not_sent_to_a_page() {
        for accept in
            ["*/*", "application/json", "text/html;q=0", "text/*", "application/xhtml+xml", "text/htmlx"]
        {
            assert_eq!(returns("GET", b"/", accept.as_bytes()), None, "{accept}");
        }
        for method in ["POST", "PUT", "get", "OPTIONS"] {
            assert_eq!(returns(method, b"/", b"text/html"), None, "{method}");
        }
        assert_eq!(return_to(&HeaderMap::new(), None), None);
    }

    #[test]
    fn whoever_made_the_link_leads_nobody_to_another_site() {
        let long = format!("/{}", "x".repeat(MAX_TARGET));
        for target in [
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "evil.example",
            "javascript:alert(1)",
            "",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x",
            "/a b",
            &long,
        ] {
            assert_eq!(returns("GET", target.as_bytes(), b"text/html").as_deref(), Some("%2F"), "{target:?}");
            let query: String =
                form_urlencoded::Serializer::new(String::new()).append_pair(SIGN_IN, target).finish();
            page_in(&query).unwrap_err();
        }
    }

    #[test]
    fn the_page_is_named_once_and_keeps_its_own_query() {
        assert_eq!(page_in("role=admin"), Ok(None));
        assert_eq!(page_in("role=admin&sign_in=/in?a%3D1"), Ok(Some("/in?a=1".into())));
        page_in("sign_in=/a&sign_in=/b").unwrap_err();
        page_in("sign_in=/a%23b").unwrap_err();
        assert_eq!(location("/in", "%2Fx"), "/in?return_to=%2Fx");
        assert_eq!(location("/in?a=1", "%2Fx"), "/in?a=1&return_to=%2Fx");
    }
}
