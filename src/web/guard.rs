//! Decides which requests of browsers are answered, and adds the headers that protect every answer.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::address;
use super::cookie::browser_of;
use crate::config::SignInPages;
use crate::http::body::{complete, read_off};
use crate::http::envelope::ApiError;
use crate::http::peer::Peer;
use crate::http::places::Place;
use crate::http::unlisted::Unlisted;
use crate::http::{caching, head};
use crate::store::SecretDigest;

/// The browser that sent a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor {
    /// Its address, or the part of it that counts.
    pub(super) address: IpAddr,
    /// The hash of its secret.
    pub(super) browser: Option<SecretDigest>,
}

/// Checks where requests come from.
#[derive(Debug)]
pub(super) struct Guard {
    rules: Arc<SignInPages>,
    unlisted: Unlisted,
}

/// On every answer, unless it has its own.
const PROTECTION: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: browsers would send `Origin: null` with the page's own forms.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// The policy of a page whose forms may end at this origin.
pub(super) fn page_policy(returns_to: Option<&str>) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; frame-ancestors 'none'; form-action 'self' {}",
        returns_to.unwrap_or_default()
    );
    let policy = HeaderValue::from_maybe_shared(policy.into_bytes());
    policy.unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

/// The check before every route.
pub(super) async fn guard(guard: &Guard, mut request: Request, next: Next) -> Response {
    let response = match guard.check(&request) {
        Ok(visitor) => {
            request.extensions_mut().insert(visitor);
            match complete(request).await {
                Ok(request) => next.run(request).await,
                Err(error) => error.into_response(),
            }
        }
        Err(refusal) => {
            read_off(request).await;
            *refusal
        }
    };
    protected(response)
}

fn protected(response: Response) -> Response {
    let mut response = caching::kept_by_nobody(response);
    for (name, value) in PROTECTION {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

impl Guard {
    pub(super) fn new(rules: Arc<SignInPages>) -> Self {
        Self { rules, unlisted: Unlisted::default() }
    }

    fn check(&self, request: &Request) -> Result<Visitor, Box<Response>> {
        if !head::fits(request) {
            return Err(Box::new(head::too_large()));
        }
        let peer = self.check_peer(request).map_err(IntoResponse::into_response)?;
        self.check_host(request).map_err(IntoResponse::into_response)?;
        if let Some(place) = request.extensions().get::<Arc<Place>>() {
            place.vouch(None);
        }
        check_method(request).map_err(IntoResponse::into_response)?;
        let headers = request.headers();
        check_purpose(headers).map_err(IntoResponse::into_response)?;
        self.check_site(request).map_err(IntoResponse::into_response)?;
        let address = address::of_browser(peer, headers, &self.rules.proxies);
        Ok(Visitor { address: address::bucket(address), browser: browser_of(headers) })
    }

    /// Without the proxy there is no TLS.
    fn check_peer(&self, request: &Request) -> Result<IpAddr, ApiError> {
        let Some(Peer::Tcp(ip)) = request.extensions().get::<Peer>() else {
            return Err(ApiError::internal());
        };
        if ip.is_loopback() || self.rules.proxies.iter().any(|proxy| proxy.contains(*ip)) {
            return Ok(*ip);
        }
        Err(ApiError::forbidden(format!("{ip} is not listed in web.proxies")))
    }

    /// A site whose name resolves to this address still sends its own name, and so does a cache that could be poisoned.
    fn check_host(&self, request: &Request) -> Result<(), ApiError> {
        let in_headers = request.headers().get_all(header::HOST).iter().map(HeaderValue::as_bytes);
        let in_target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let named: Vec<&[u8]> = in_headers.chain(in_target).collect();
        let ours = name_of(self.rules.public_url.host());
        let is_ours =
            |host: &[u8]| str::from_utf8(host).is_ok_and(|host| name_of(host).eq_ignore_ascii_case(ours));
        match named.iter().find(|host| !is_ours(host)) {
            Some(host) => Err(self.unlisted.refuse("Host", host, "web.public_url")),
            None if named.is_empty() => Err(ApiError::bad_request("send a Host header")),
            None => Ok(()),
        }
    }

    /// What changes something comes from the page itself, and no other site shows the page within its own.
    fn check_site(&self, request: &Request) -> Result<(), ApiError> {
        let headers = request.headers();
        let cross =
            || ApiError::new(StatusCode::FORBIDDEN, "cross_site_request", "this comes from another site");
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let ours = self.rules.public_url.as_str().as_bytes();
        if origins.any(|origin| origin.as_bytes() != ours) {
            return Err(cross());
        }
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if *request.method() == Method::POST {
            let is_from_page =
                site == Some(b"same-origin") || site.is_none() && headers.contains_key(header::ORIGIN);
            return if is_from_page { Ok(()) } else { Err(cross()) };
        }
        let path = request.uri().path();
        if path.starts_with("/assets/") {
            return Ok(());
        }
        let destination = headers.get("sec-fetch-dest").map(HeaderValue::as_bytes);
        let fits = if path.ends_with("/wait") {
            matches!(site, None | Some(b"same-origin")) && matches!(destination, None | Some(b"empty"))
        } else {
            matches!(destination, None | Some(b"document"))
        };
        if fits { Ok(()) } else { Err(cross()) }
    }
}

/// A page is opened by people. Programs that only look at it (HEAD) would open a login each time.
fn check_method(request: &Request) -> Result<(), ApiError> {
    if matches!(*request.method(), Method::GET | Method::POST) {
        return Ok(());
    }
    let message = "the page takes GET and POST";
    Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message))
}

/// Neither is a page that a browser loads in advance.
fn check_purpose(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_ahead = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("prefetch"));
    if headers.get("sec-purpose").or_else(|| headers.get("purpose")).is_some_and(is_ahead) {
        let message = "this page cannot be loaded in advance";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "prefetch", message));
    }
    Ok(())
}

/// The name of a host without its port, which proxies may leave out.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() => name,
        _ => host,
    }
}
