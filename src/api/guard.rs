//! Who may speak: the kernel's word on a Unix socket; host, origin and token on TCP.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::openapi;
use crate::config::Local;
use crate::http::body::{complete, read_off};
use crate::http::envelope::ApiError;
use crate::http::peer::Peer;
use crate::http::places::Place;
use crate::http::query::Parameters;
use crate::http::unlisted::Unlisted;
use crate::http::{caching, head, public};

/// Decides who may speak.
#[derive(Debug)]
pub(super) struct Guard {
    token: Option<SecretString>,
    allowed_hosts: Vec<String>,
    allowed_origins: Vec<String>,
    unlisted: Unlisted,
    parameters: Parameters,
    /// The routes that are off. What they are asked is not looked at.
    off: Vec<&'static str>,
}

impl Guard {
    pub(super) fn new(local: &Local, token: Option<SecretString>, off: Vec<&'static str>) -> Self {
        Self {
            token,
            allowed_hosts: local.allowed_hosts.clone(),
            allowed_origins: local.allowed_origins.clone(),
            unlisted: Unlisted::default(),
            parameters: Parameters::of(&openapi::document()),
            off,
        }
    }

    /// Compares in constant time, so that a token cannot be guessed byte by byte.
    pub(super) fn is_token(&self, offered: &str) -> bool {
        self.token
            .as_ref()
            .is_some_and(|token| bool::from(token.expose_secret().as_bytes().ct_eq(offered.as_bytes())))
    }

    /// A web page that makes its name resolve to this machine (DNS rebinding) still sends that name.
    fn check_host(&self, request: &Request) -> Result<(), ApiError> {
        let in_headers = request.headers().get_all(header::HOST).iter().map(HeaderValue::as_bytes);
        let in_target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        // However many there are, each must be right. Where there are none, no browser is asking.
        let is_ours = |host: &&[u8]| str::from_utf8(host).is_ok_and(|host| self.is_our_host(host));
        match in_headers.chain(in_target).find(|host| !is_ours(host)) {
            Some(host) => Err(self.unlisted.refuse("Host", host, "local.allowed_hosts")),
            None => Ok(()),
        }
    }

    fn is_our_host(&self, host: &str) -> bool {
        let Some(name) = host_name(host) else { return false };
        // A dot at the end makes a name absolute (RFC 1034 §3.1), and no other name.
        let name = name.strip_suffix('.').unwrap_or(name);
        let listed = |known: &String| known.eq_ignore_ascii_case(host) || known.eq_ignore_ascii_case(name);
        is_loopback(name) || self.allowed_hosts.iter().any(listed)
    }

    /// The origin, if the request comes from a web page and that page may speak.
    fn check_origin(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, ApiError> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(None) };
        let listed = |known: &String| origin.as_bytes() == known.as_bytes();
        // No browser sends two.
        if origins.next().is_none() && self.allowed_origins.iter().any(listed) {
            return Ok(Some(origin.clone()));
        }
        Err(self.unlisted.refuse("Origin", origin.as_bytes(), "local.allowed_origins"))
    }

    /// A parameter that the route does not have is refused, unless the route is off.
    fn check_query(&self, request: &Request) -> Result<(), ApiError> {
        let path = request.uri().path();
        // Behind Envoy's path comes the user's query. Documents are read by other people's programs, which add what
        // keeps caches away.
        if path.starts_with("/auth/envoy/") || is_document(path) {
            return Ok(());
        }
        self.parameters.check(request, &self.off)
    }

    /// Whether the token was shown, if the request may pass.
    fn check_token(&self, request: &Request) -> Result<bool, ApiError> {
        let mut offers = request.headers().get_all(header::AUTHORIZATION).iter();
        let offered = offers.next();
        let path = request.uri().path();
        // A browser cannot set headers on a WebSocket, so its first command carries the token instead.
        if path == "/ws" && offered.is_none() {
            return Ok(false);
        }
        let bearer = offered.and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        match bearer {
            Some(token) if self.is_token(token) && offers.next().is_none() => Ok(true),
            _ if is_public(path) => Ok(false),
            Some(token) => Err(ApiError::wrong_token(token)),
            None => Err(ApiError::unauthorized("send Authorization: Bearer <API token>")),
        }
    }
}

/// What stands before every route.
pub(super) async fn guard(guard: &Guard, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (is_document, is_file) = (is_document(path), path.ends_with(".json"));
    let response = if head::fits(&request) {
        guard_peer(guard, request, next, is_document).await
    } else {
        read_off(request).await;
        caching::varies_by_origin(head::too_large())
    };
    caching::kept_by_nobody(if is_document { public::for_every_page(response, is_file) } else { response })
}

async fn guard_peer(guard: &Guard, request: Request, next: Next, is_document: bool) -> Response {
    match request.extensions().get::<Peer>() {
        Some(Peer::Tcp(_)) => guard_tcp(guard, request, next, is_document).await,
        Some(Peer::Unix { allowed: true, .. }) => match check_form(&request) {
            Ok(()) if is_document && public::is_preflight(request.method(), request.headers()) => {
                public::preflight()
            }
            Ok(()) => let_in(guard, request, next).await,
            Err(error) => refuse(request, error).await,
        },
        Some(Peer::Unix { allowed: false, uid }) => {
            let message = format!("uid {uid} may not speak here (local.allow_uids, local.allow_gids)");
            refuse(request, ApiError::forbidden(message)).await
        }
        None => ApiError::internal().into_response(),
    }
}

async fn guard_tcp(guard: &Guard, mut request: Request, next: Next, is_document: bool) -> Response {
    let checked = check_form(&request).and_then(|()| guard.check_host(&request)).and_then(|()| {
        // Every page may read a document.
        if is_document { Ok(None) } else { guard.check_origin(request.headers()) }
    });
    let response = match checked {
        Err(error) => refuse(request, error).await,
        Ok(origin) => {
            let is_from_page = is_document || origin.is_some();
            let response = if is_from_page && public::is_preflight(request.method(), request.headers()) {
                public::preflight()
            } else {
                match guard.check_token(&request) {
                    Ok(is_shown) => {
                        if is_shown {
                            vouch(&mut request);
                        }
                        let_in(guard, request, next).await
                    }
                    Err(error) => refuse(request, error).await,
                }
            };
            match origin {
                Some(origin) => public::for_pages_of(origin, response),
                None => response,
            }
        }
    };
    caching::varies_by_origin(response)
}

/// Whoever sends a request has shown the token with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenShown;

fn vouch(request: &mut Request) {
    if let Some(place) = request.extensions().get::<Arc<Place>>() {
        place.vouch();
    }
    request.extensions_mut().insert(TokenShown);
}

/// A request names its host once, and before HTTP/1.1 it need not (RFC 9112 §3.2).
fn check_form(request: &Request) -> Result<(), ApiError> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let is_well_formed = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(host_name).is_some(),
        (None, _) => request.version() < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    };
    let message = "send one Host header, with a host and perhaps a port";
    is_well_formed.then_some(()).ok_or_else(|| ApiError::bad_request(message))
}

async fn let_in(guard: &Guard, request: Request, next: Next) -> Response {
    if let Err(error) = guard.check_query(&request) {
        return refuse(request, error).await;
    }
    match complete(request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn refuse(request: Request, error: ApiError) -> Response {
    read_off(request).await;
    error.into_response()
}

/// What anybody may ask who reaches the socket.
fn is_public(path: &str) -> bool {
    path == "/ready" || is_document(path)
}

/// Whether there is such a document below this path, or might be.
fn is_document(path: &str) -> bool {
    matches!(path, "/health" | "/version" | "/openapi.json" | "/well-known/nostr.json")
        || path.starts_with("/.well-known/")
}

/// The host of a `Host` header, without its port (RFC 9110 §7.2). `None`: it is malformed.
fn host_name(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let has_good_port =
        matches!(rest, "" | ":") || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    // None of these is in a host's name (RFC 3986 §3.2.2), and some end it elsewhere.
    let is_plain = !name.contains([' ', '\t', ',', '/', '\\', '?', '#', '@', '<', '>', '"']);
    (has_good_port && is_plain).then_some(name)
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn guard() -> Guard {
        Guard {
            token: Some("right".into()),
            allowed_hosts: vec!["portico.internal".into(), "gate:8443".into()],
            allowed_origins: vec!["https://app.example".into()],
            unlisted: Unlisted::default(),
            parameters: Parameters::of(&openapi::document()),
            off: Vec::new(),
        }
    }

    fn request(path: &str, headers: &[(&str, &str)]) -> Request {
        let builder = axum::http::Request::builder().uri(path);
        headers.iter().fold(builder, |builder, (k, v)| builder.header(*k, *v)).body(Body::empty()).unwrap()
    }

    #[test]
    fn a_web_page_whose_name_resolves_to_this_machine_is_refused() {
        for host in [
            "evil.example",
            "evil.example:3000",
            "127.0.0.1.evil.example",
            "localhost.evil",
            "",
            "gate",
            "[::1",
            "127.0.0.1:x",
            "localhost:99999",
        ] {
            assert!(guard().check_host(&request("/", &[("host", host)])).is_err(), "{host}");
        }
        for host in [
            "localhost",
            "localhost.",
            "LOCALHOST.:3000",
            "Portico.internal.",
            "LOCALHOST:3000",
            "127.0.0.1:1",
            "[::1]:3000",
            "portico.internal:80",
            "gate:8443",
        ] {
            assert!(guard().check_host(&request("/", &[("host", host)])).is_ok(), "{host}");
        }
    }

    #[test]
    fn the_refusal_names_the_host_that_is_wrong() {
        for (target, host) in [("http://evil.example/info", "127.0.0.1"), ("/info", "evil.example")] {
            let error = guard().check_host(&request(target, &[("host", host)])).unwrap_err();
            assert!(error.message.starts_with("Host \"evil.example\" is not allowed"), "{}", error.message);
        }
    }

    #[test]
    fn a_hostile_web_page_is_refused_by_its_origin() {
        let origin = |origin| guard().check_origin(request("/", &[("origin", origin)]).headers());
        for hostile in ["https://evil.example", "null", "http://app.example", "https://app.example.evil"] {
            assert!(origin(hostile).is_err(), "{hostile}");
        }
        assert!(origin("https://app.example").unwrap().is_some());
        let two = [("origin", "https://app.example"), ("origin", "https://evil.example")];
        assert!(guard().check_origin(request("/", &two).headers()).is_err());
    }

    #[test]
    fn every_route_but_the_public_ones_wants_the_token() {
        let check = |path, headers: &[(&str, &str)]| guard().check_token(&request(path, headers)).is_ok();
        for path in ["/health", "/ready", "/version", "/.well-known/nostr.json", "/ws"] {
            assert!(check(path, &[]), "{path}");
        }
        assert_eq!(guard().check_token(&request("/health", &[])), Ok(false));
        assert_eq!(guard().check_token(&request("/health", &[("authorization", "Bearer right")])), Ok(true));
        assert_eq!(guard().check_token(&request("/health", &[("authorization", "Bearer wrong")])), Ok(false));
        for path in ["/info", "/jwt/issue", "/healthy", "/health/", "/ws/", "/login"] {
            assert!(!check(path, &[]), "{path}");
            assert!(check(path, &[("authorization", "Bearer right")]), "{path}");
            assert!(check(path, &[("authorization", "bearer right")]), "{path}");
        }
        for wrong in ["Bearer wrong", "Bearer righ", "Bearer right2", "Basic right", "right", "Bearer"] {
            assert!(!check("/info", &[("authorization", wrong)]), "{wrong}");
            assert!(!check("/ws", &[("authorization", wrong)]), "{wrong}");
            let two = [("authorization", "Bearer right"), ("authorization", wrong)];
            assert!(!check("/info", &two), "{wrong}");
        }
    }
}
