//! Decides who may call, and with which rights: by the kernel's answer on the Unix socket; by host, origin and token on
//! TCP.

use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::caller::Caller;
use super::effect::{Change, Effect};
use super::host::{check_form, host_name, is_loopback};
use super::needs::{Asked, Needs, Table};
use super::openapi;
use super::refused_callers::{RefusedCallers, Why};
use super::routes::forward;
use super::{Api, ui};
use crate::api_tokens::{NamedTokens, NotAdmitted};
use crate::config::Local;
use crate::http::body::{complete, read_off};
use crate::http::envelope::{ApiError, code_of};
use crate::http::observe::{RequestId, by_holder_of};
use crate::http::peer::Peer;
use crate::http::places::Place;
use crate::http::query::Parameters;
use crate::http::unlisted::Unlisted;
use crate::http::{caching, head, public};
use crate::metrics::Metrics;
use crate::rights::Rights;

/// Decides who may call.
#[derive(Debug)]
pub(super) struct Guard {
    token: Option<SecretString>,
    named_tokens: Arc<NamedTokens>,
    allowed_hosts: Vec<String>,
    allowed_origins: Vec<String>,
    unlisted: Unlisted,
    refused: RefusedCallers,
    parameters: Parameters,
    table: Table,
    /// The routes that are off. Their parameters are not checked.
    off: Vec<&'static str>,
}

impl Guard {
    pub(super) fn new(
        local: &Local,
        (token, named_tokens): (Option<SecretString>, Arc<NamedTokens>),
        (table, off): (Table, Vec<&'static str>),
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            token,
            named_tokens,
            allowed_hosts: local.allowed_hosts.clone(),
            allowed_origins: local.allowed_origins.clone(),
            unlisted: Unlisted::default(),
            refused: RefusedCallers::new(metrics),
            parameters: Parameters::of(&openapi::document()),
            table,
            off,
        }
    }

    /// The caller with this token. Compares in constant time, so that nobody can guess it byte by byte.
    ///
    /// # Errors
    /// 401: it is not a token of this daemon, or it has expired.
    pub(super) fn identify(&self, peer: Peer, offered: &str) -> Result<Caller, ApiError> {
        let is_it = |token: &SecretString| token.expose_secret().as_bytes().ct_eq(offered.as_bytes()).into();
        if self.token.as_ref().is_some_and(is_it) {
            return Ok(Caller::new(peer, Rights::ALL));
        }
        match self.named_tokens.admit(offered) {
            Ok(token) => Ok(Caller::with_token(peer, token)),
            Err(NotAdmitted::Expired) => {
                self.refused.note(peer, Why::ExpiredToken);
                Err(ApiError::token_over())
            }
            Err(NotAdmitted::Unknown) => {
                self.refused.note(peer, Why::WrongToken);
                Err(ApiError::wrong_token(offered))
            }
        }
    }

    /// The refusal of a user of this machine who has no right at all.
    pub(super) fn unlisted_user(&self, peer: Peer, uid: u32) -> ApiError {
        self.refused.note(peer, Why::UnlistedUser);
        let keys = "local.allow, local.allow_uids, local.allow_gids";
        ApiError::forbidden(format!("uid {uid} may not call ({keys})"))
    }

    /// A web page that makes its name resolve to this machine (DNS rebinding) still sends that name.
    pub(super) fn check_host(&self, request: &Request) -> Result<(), ApiError> {
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

    /// The origin, if the request comes from a web page that may call.
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

    /// The change that somebody asks for, if it is one and there is room for it.
    pub(super) fn change_by(
        &self,
        request: &Request,
        by: &impl fmt::Display,
        may_change: impl FnOnce() -> Result<(), ApiError>,
    ) -> Result<Option<Change>, ApiError> {
        let (Effect::Changes(_), route) = self.table.effect(request) else { return Ok(None) };
        may_change()?;
        let id = request.extensions().get::<RequestId>().ok_or_else(ApiError::internal)?;
        Ok(Some(Change::begin(by, format!("{} {route}", request.method()), id)))
    }

    /// Refuses a parameter that the route does not have, unless the route is off.
    fn check_query(&self, request: &Request, asked: Asked) -> Result<(), ApiError> {
        // Behind Envoy's path comes the user's query. Documents are read by other people's programs, which add what
        // keeps caches away.
        if request.uri().path().starts_with("/auth/envoy/") || asked.is_document() {
            return Ok(());
        }
        self.parameters.check(request, &self.off)
    }

    /// The caller over TCP, if the request may pass.
    fn check_token(&self, request: &Request, peer: Peer, asked: Asked) -> Result<Caller, ApiError> {
        let mut offers = request.headers().get_all(header::AUTHORIZATION).iter();
        let offered = offers.next();
        // A browser cannot set headers on a WebSocket, so its first command carries the token instead.
        if asked == Asked::Row(Needs::Commands) && offered.is_none() {
            return Ok(Caller::new(peer, Rights::NONE));
        }
        let bearer = offered.and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let bearer = bearer.ok_or_else(|| ApiError::unauthorized("send Authorization: Bearer <API token>"));
        let caller = bearer.and_then(|token| match offers.next() {
            None => self.identify(peer, token),
            Some(_) => Err(ApiError::wrong_token(token)),
        });
        match caller {
            Err(_) if asked.is_public() => Ok(Caller::new(peer, Rights::NONE)),
            caller => caller,
        }
    }
}

/// The check before every route.
pub(super) async fn guard(api: &Api, request: Request, next: Next) -> Response {
    let guard = &api.guard;
    let (asked, path) = (guard.table.asked(&request), request.uri().path().to_owned());
    let is_file = path.ends_with(".json");
    let response = if !head::has_known_coding(request.headers()) {
        caching::varies_by_origin(head::unknown_coding())
    } else if head::fits(&request) {
        match (asked, &api.ui) {
            (Asked::Row(Needs::Page(needs)), Some(ui)) => ui::door::door(api, ui, request, next, needs).await,
            _ => guard_peer(guard, request, next, asked).await,
        }
    } else {
        read_off(request).await;
        caching::varies_by_origin(head::too_large())
    };
    let response = if forward::is_for_gateways(&path) { forward::named(response) } else { response };
    let is_document = asked.is_document();
    caching::kept_by_nobody(if is_document { public::for_every_page(response, is_file) } else { response })
}

async fn guard_peer(guard: &Guard, request: Request, next: Next, asked: Asked) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().copied() else {
        return ApiError::internal().into_response();
    };
    match peer {
        Peer::Tcp(_) => guard_tcp(guard, request, next, (peer, asked)).await,
        Peer::Unix { uid, rights } if rights.are_none() => {
            refuse(request, guard.unlisted_user(peer, uid)).await
        }
        Peer::Unix { rights, .. } => match check_form(&request) {
            Ok(()) if asked.is_document() && public::is_preflight(request.method(), request.headers()) => {
                public::preflight()
            }
            Ok(()) => let_in(guard, request, next, (Caller::new(peer, rights), asked)).await,
            Err(error) => refuse(request, error).await,
        },
    }
}

async fn guard_tcp(guard: &Guard, request: Request, next: Next, (peer, asked): (Peer, Asked)) -> Response {
    let checked = check_form(&request).and_then(|()| guard.check_host(&request)).and_then(|()| {
        // Every page may read a document.
        if asked.is_document() { Ok(None) } else { guard.check_origin(request.headers()) }
    });
    let response = match checked {
        Err(error) => refuse(request, error).await,
        Ok(origin) => {
            let is_from_page = asked.is_document() || origin.is_some();
            let response = if is_from_page && public::is_preflight(request.method(), request.headers()) {
                public::preflight()
            } else {
                match guard.check_token(&request, peer, asked) {
                    Ok(caller) => {
                        if !caller.rights.are_none() {
                            with_place(&request, |place| place.vouch(caller.voucher()));
                        }
                        let label = caller.label();
                        by_holder_of(label, let_in(guard, request, next, (caller, asked)).await)
                    }
                    Err(error) => hang_up_on(request, error).await,
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

pub(super) fn with_place(request: &Request, act: impl FnOnce(&Place)) {
    if let Some(place) = request.extensions().get::<Arc<Place>>() {
        act(place);
    }
}

/// Refuses a token. The connection ends with this answer: a token that was good before must not keep its place.
async fn hang_up_on(request: Request, error: ApiError) -> Response {
    with_place(&request, Place::disown);
    let mut response = refuse(request, error).await;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn let_in(
    guard: &Guard,
    mut request: Request,
    next: Next,
    (caller, asked): (Caller, Asked),
) -> Response {
    if let Some(right) = asked.missing(caller.rights) {
        return refuse(request, ApiError::missing_right(right)).await;
    }
    if let Err(error) = guard.check_query(&request, asked) {
        return refuse(request, error).await;
    }
    if let Some(asked_again) = caller.asked_again() {
        request.extensions_mut().insert(asked_again);
    }
    let change = match guard.change_by(&request, &caller, || caller.may_change()) {
        Ok(change) => change,
        Err(error) => return refuse(request, error).await,
    };
    request.extensions_mut().insert(caller);
    let response = match complete(request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let Some(change) = change {
        change.answered(response.status(), code_of(&response));
    }
    response
}

pub(super) async fn refuse(request: Request, error: ApiError) -> Response {
    let is_for_gateways = forward::is_for_gateways(request.uri().path());
    read_off(request).await;
    if is_for_gateways { forward::refused(error) } else { error.into_response() }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::body::Body;

    use super::*;
    use crate::clock::SystemClock;
    use crate::lifecycle::Lifecycle;
    use crate::rights::Right;
    use crate::store::sqlite::{SqliteOptions, SqliteStore};

    async fn guard() -> Guard {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("db"), SqliteOptions::default()).unwrap();
        let (clock, lifecycle) = (Arc::new(SystemClock), Lifecycle::default());
        Guard {
            token: Some("right".into()),
            named_tokens: NamedTokens::start(Arc::new(store), clock, lifecycle).await.unwrap(),
            allowed_hosts: vec!["portico.internal".into(), "gate:8443".into()],
            allowed_origins: vec!["https://app.example".into()],
            unlisted: Unlisted::default(),
            refused: RefusedCallers::new(Arc::default()),
            parameters: Parameters::of(&openapi::document()),
            table: Table::of([]),
            off: Vec::new(),
        }
    }

    fn request(path: &str, headers: &[(&str, &str)]) -> Request {
        let builder = axum::http::Request::builder().uri(path);
        headers.iter().fold(builder, |builder, (k, v)| builder.header(*k, *v)).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_web_page_whose_name_resolves_to_this_machine_is_refused() {
        let guard = guard().await;
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
            assert!(guard.check_host(&request("/", &[("host", host)])).is_err(), "{host}");
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
            assert!(guard.check_host(&request("/", &[("host", host)])).is_ok(), "{host}");
        }
    }

    #[tokio::test]
    async fn the_refusal_names_the_host_that_is_wrong() {
        let guard = guard().await;
        for (target, host) in [("http://evil.example/info", "127.0.0.1"), ("/info", "evil.example")] {
            let error = guard.check_host(&request(target, &[("host", host)])).unwrap_err();
            assert!(error.message.starts_with("Host \"evil.example\" is not allowed"), "{}", error.message);
        }
    }

    #[tokio::test]
    async fn a_hostile_web_page_is_refused_by_its_origin() {
        let guard = guard().await;
        let origin = |origin| guard.check_origin(request("/", &[("origin", origin)]).headers());
        for hostile in ["https://evil.example", "null", "http://app.example", "https://app.example.evil"] {
            assert!(origin(hostile).is_err(), "{hostile}");
        }
        assert!(origin("https://app.example").unwrap().is_some());
        let two = [("origin", "https://app.example"), ("origin", "https://evil.example")];
        assert!(guard.check_origin(request("/", &two).headers()).is_err());
    }

    #[tokio::test]
    async fn a_token_makes_a_caller_and_only_what_is_public_needs_none() {
        let guard = guard().await;
        let peer = Peer::Tcp(IpAddr::from([127, 0, 0, 1]));
        let check = |needs, headers: &[(&str, &str)]| {
            let caller = guard.check_token(&request("/", headers), peer, Asked::Row(needs));
            caller.ok().map(|caller| caller.rights)
        };
        let right = [("authorization", "Bearer right")];
        let operate = Needs::Right(Right::Operate);
        for needs in [Needs::Document, Needs::Nothing] {
            assert_eq!(check(needs, &[]), Some(Rights::NONE));
            assert_eq!(check(needs, &[("authorization", "Bearer wrong")]), Some(Rights::NONE));
            assert_eq!(check(needs, &right), Some(Rights::ALL));
        }
        assert_eq!(check(Needs::Commands, &[]), Some(Rights::NONE), "the token follows");
        assert_eq!(check(operate, &[]), None);
        assert_eq!(check(operate, &right), Some(Rights::ALL));
        assert_eq!(check(operate, &[("authorization", "bearer right")]), Some(Rights::ALL));
        for wrong in ["Bearer wrong", "Bearer righ", "Bearer right2", "Basic right", "right", "Bearer"] {
            assert_eq!(check(operate, &[("authorization", wrong)]), None, "{wrong}");
            assert_eq!(check(Needs::Commands, &[("authorization", wrong)]), None, "{wrong}");
            let two = [("authorization", "Bearer right"), ("authorization", wrong)];
            assert_eq!(check(operate, &two), None, "{wrong}");
        }
    }
}
