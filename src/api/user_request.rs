//! The user's request to the web app, as the caller reports it. A credential can be bound to it.

use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use serde::Deserialize;

use crate::http::object::Object;
use crate::wallet::{Credential, WebRequest};

/// The headers in which gateways report the request: Traefik's, and the usual ones in configurations of nginx.
const HEADERS: [[&str; 2]; 2] =
    [["x-forwarded-method", "x-forwarded-uri"], ["x-original-method", "x-original-uri"]];

/// The request as a program reports it in the body of its question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserRequest {
    method: String,
    target: String,
    body_sha256: Option<Digest>,
}

/// 32 bytes, as 64 hex digits.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Digest([u8; 32]);

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let mut digest = [0; 32];
        hex::decode_to_slice(&text, &mut digest).map_err(|_| "body_sha256: must be 64 hex digits")?;
        Ok(Self(digest))
    }
}

/// A credential, and the request that contained it, if the caller reported it.
pub(super) fn credential<'a>(text: &'a str, request: Option<&'a Object<UserRequest>>) -> Credential<'a> {
    let request = request.map(|Object(request)| WebRequest {
        method: &request.method,
        target: &request.target,
        body: request.body_sha256.as_ref().map(|digest| digest.0),
    });
    Credential { text, request }
}

/// The request that a gateway reports in its headers. `None` if there is none, or if Portico cannot tell the
/// gateway's headers from those that its client sent. No gateway reports bodies.
pub(super) fn forwarded(headers: &HeaderMap) -> Option<WebRequest<'_>> {
    let mut reported = HEADERS.iter().filter(|pair| pair.iter().any(|name| headers.contains_key(*name)));
    let ([method, target], None) = (reported.next()?, reported.next()) else { return None };
    let (method, target) = (only(headers, method)?, only(headers, target)?);
    Some(WebRequest { method, target, body: None })
}

/// The page that a user asked for, to come back to. Unlike a [`WebRequest`] it proves nothing, so any bytes are
/// allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visit<'a> {
    pub(super) method: &'a [u8],
    /// Path and query. `None`: reported more than once.
    pub(super) target: Option<&'a [u8]>,
}

impl<'a> Visit<'a> {
    pub(super) fn of(request: &WebRequest<'a>) -> Self {
        Self { method: request.method.as_bytes(), target: Some(request.target.as_bytes()) }
    }
}

/// The page that a gateway's user asked for, from its headers. `None`: not reported, or with two methods.
pub(super) fn visited(headers: &HeaderMap) -> Option<Visit<'_>> {
    let values = |index: usize| {
        HEADERS.iter().flat_map(move |pair| headers.get_all(pair[index])).map(HeaderValue::as_bytes)
    };
    let (mut methods, mut targets) = (values(0), values(1));
    let (method, target) = (methods.next()?, targets.next()?);
    let is_one = methods.all(|other| other == method);
    is_one.then(|| Visit { method, target: targets.next().is_none().then_some(target) })
}

/// The request of a gateway that uses the user's method, and appends the user's path and query to its own.
pub(super) fn behind<'a>(prefix: &str, method: &'a Method, uri: &'a Uri) -> Option<WebRequest<'a>> {
    let target = uri.path_and_query()?.as_str().strip_prefix(prefix)?;
    Some(WebRequest { method: method.as_str(), target, body: None })
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&'static str, &str)]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        forwarded(&headers).map(|request| (request.method.into(), request.target.into()))
    }

    #[test]
    fn a_client_cannot_tell_of_another_request_than_its_gateway() {
        let traefik = [("x-forwarded-method", "GET"), ("x-forwarded-uri", "/a?x=1")];
        let nginx = [("x-original-method", "GET"), ("x-original-uri", "/a?x=1")];
        let expected = Some(("GET".to_owned(), "/a?x=1".to_owned()));
        assert_eq!((told(&traefik), told(&nginx)), (expected.clone(), expected));
        let (a, b) = (traefik, nginx);
        for ambiguous in [
            vec![],
            vec![a[0]],
            vec![a[1]],
            vec![a[0], a[1], b[0]],
            vec![a[0], a[1], b[1]],
            vec![a[0], a[1], a[1]],
            vec![b[0], b[1], b[0]],
            vec![a[0], b[1]],
        ] {
            assert_eq!(told(&ambiguous), None, "{ambiguous:?}");
        }
    }

    #[test]
    fn where_a_browser_was_is_told_once_or_not_known() {
        let (method, target) = (("x-forwarded-method", "GET"), ("x-forwarded-uri", "/caf\u{e9}"));
        let own = ("x-original-uri", "//evil.example");
        let once = Some(Visit { method: b"GET", target: Some("/caf\u{e9}".as_bytes()) });
        let twice = Some(Visit { method: b"GET", target: None });
        for (pairs, expected) in [
            (vec![method, target], once),
            (vec![method, target, target], twice),
            (vec![method, target, own], twice),
            (vec![method, method, target], once),
            (vec![method, ("x-original-method", "POST"), target], None),
            (vec![method], None),
            (vec![target], None),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in &pairs {
                headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            assert_eq!(visited(&headers), expected, "{pairs:?}");
        }
    }

    #[test]
    fn envoys_way_of_asking_tells_of_path_and_query() {
        let uri: Uri = "/auth/envoy/v1/me?x=1".parse().unwrap();
        let request = behind("/auth/envoy", &Method::PUT, &uri).unwrap();
        assert_eq!((request.method, request.target), ("PUT", "/v1/me?x=1"));
    }
}
