//! Whether a request comes from the page itself. Pure.
//!
//! A browser sends requests for every web page that asks for it. What it says of their origin cannot be forged by the
//! page: `Sec-Fetch-Site` and `Origin`. Besides, each request has a header of ours, which no form, link, image or frame
//! can send, and which a script of another origin cannot send without a permission (CORS) that Portico never gives.

use axum::http::{HeaderMap, Method, header};

use crate::http::envelope::ApiError;

/// The header of the page: the key of the session, or `1` before there is one.
pub(super) const KEY: &str = "x-portico-ui";

/// Refuses a request that another web page, a form or a link caused.
///
/// # Errors
/// 403 `forbidden`.
pub(super) fn check(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let from_here = headers.get_all("sec-fetch-site").iter().all(|site| site.as_bytes() == b"same-origin");
    let origins: Vec<_> = headers.get_all(header::ORIGIN).iter().map(|origin| origin.as_bytes()).collect();
    let is_known = match origins.as_slice() {
        // Browsers leave it out of reads of the same origin, and out of nothing else.
        [] => method == Method::GET || method == Method::HEAD,
        [origin] => is_of_host(origin, headers),
        _ => false,
    };
    if !from_here || !is_known {
        return Err(ApiError::forbidden(
            "the operator's page answers only to itself, not to other web pages",
        ));
    }
    if key(headers).is_none() {
        return Err(ApiError::forbidden(format!("the header {KEY} is missing")));
    }
    Ok(())
}

/// The value of the page's header.
pub(super) fn key(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(KEY).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether the page was loaded over TLS, by a proxy in front of Portico.
pub(super) fn is_over_tls(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

/// Whether this is the origin of the host that the request names.
fn is_of_host(origin: &[u8], headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return false };
    let of_origin = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    of_origin.is_some_and(|of_origin| of_origin.eq_ignore_ascii_case(host.as_bytes()))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn is_let_in(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        check(
            method,
            &[(header::HOST, HeaderValue::from_static("localhost:3000"))]
                .into_iter()
                .chain(headers)
                .collect(),
        )
        .is_ok()
    }

    const OURS: (&str, &str) = ("origin", "http://localhost:3000");
    const KEYED: (&str, &str) = (KEY, "1");

    #[test]
    fn the_page_itself_is_let_in() {
        let site = ("sec-fetch-site", "same-origin");
        for method in [Method::POST, Method::DELETE] {
            assert!(is_let_in(&method, &[OURS, KEYED, site]));
            assert!(is_let_in(&method, &[OURS, KEYED]), "an old browser");
            assert!(is_let_in(&method, &[("origin", "https://localhost:3000"), KEYED]), "behind TLS");
        }
        assert!(is_let_in(&Method::GET, &[KEYED, site]));
    }

    #[test]
    fn cross_site_request_forgery_is_refused() {
        for hostile in
            ["https://evil.example", "null", "http://localhost:3001", "http://localhost", "", "file://"]
        {
            for method in [Method::GET, Method::POST] {
                assert!(!is_let_in(&method, &[("origin", hostile), KEYED]), "{hostile}");
            }
        }
        for site in ["cross-site", "same-site", "none", ""] {
            for method in [Method::GET, Method::POST] {
                assert!(!is_let_in(&method, &[OURS, KEYED, ("sec-fetch-site", site)]), "{site}");
            }
        }
        assert!(!is_let_in(&Method::POST, &[KEYED]), "a write names its origin");
        assert!(!is_let_in(&Method::POST, &[OURS]), "a form has no header of ours");
        assert!(!is_let_in(&Method::GET, &[]), "nor has an image");
    }
}
