//! The route table: the whole API on one screen.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};

use super::effect::Effect;
use super::guard::guard;
use super::needs::{Needs, Row, Table};
use super::routes::{
    api_tokens, audit, auth, events, forward, jwt, keys, logins, lookup, meta, oauth, relays, sign_in_page,
    thirdweb, users, webhooks,
};
use super::{Api, openapi, ui, ws};
use crate::http::body::read_off;
use crate::http::door::door;
use crate::http::envelope::ApiError;
use crate::rights::Right;
use crate::session::AuditKind as Kind;

const DOCUMENT: Needs = Needs::Document;
const NOTHING: Needs = Needs::Nothing;
const COMMANDS: Needs = Needs::Commands;
const CHECK: Needs = Needs::Right(Right::Check);
const LOGIN: Needs = Needs::Right(Right::Login);
const ISSUE: Needs = Needs::Right(Right::Issue);
const OPERATE: Needs = Needs::Right(Right::Operate);

const ANSWERS: Effect = Effect::Answers;
const STEP: Effect = Effect::Login;
const ISSUES: Effect = Effect::Issues;

const fn changes(kind: Kind) -> Effect {
    Effect::Changes(kind)
}

/// Routes that answer within `local.request_timeout`.
fn quick() -> Routes {
    Routes::default()
        .get("/health", DOCUMENT, meta::health)
        .get("/ready", NOTHING, meta::ready)
        .get("/version", DOCUMENT, meta::version)
        .get("/info", CHECK, meta::info)
        .get("/metrics", CHECK, meta::metrics)
        .get("/openapi.json", DOCUMENT, openapi::serve)
        .get("/.well-known/nostr.json", DOCUMENT, meta::nostr_json)
        .get("/well-known/nostr.json", DOCUMENT, meta::enveloped_nostr_json)
        .post("/key-handshake", LOGIN, STEP, logins::key_handshake)
        .delete("/key-handshake/{stream_id}", LOGIN, STEP, logins::delete_key_handshake)
        .post("/authenticate-key", LOGIN, STEP, logins::authenticate_key)
        .post("/login", LOGIN, STEP, logins::login)
        .post("/jwt/issue", ISSUE, ISSUES, jwt::issue)
        .post("/jwt/verify", CHECK, ANSWERS, jwt::verify)
        .post("/jwt/revoke", OPERATE, changes(Kind::TokenRevoked), jwt::revoke)
        .get("/profile/{key}", LOGIN, lookup::profile)
        .get("/nip05/{address}", LOGIN, lookup::nip05)
        .get("/relays", OPERATE, relays::list)
        .post("/relays", OPERATE, changes(Kind::RelayAdded), relays::add)
        .delete("/relays", OPERATE, changes(Kind::RelayRemoved), relays::remove)
        .get("/.well-known/jwks.json", DOCUMENT, keys::jwks)
        .get("/.well-known/portico/secp256k1.json", DOCUMENT, keys::secp256k1)
        .get("/keys", OPERATE, keys::list)
        .post("/keys/rotate", OPERATE, changes(Kind::KeysRotated), keys::rotate)
        .post("/oauth/introspect", CHECK, ANSWERS, oauth::introspect)
        .post("/oauth/revoke", OPERATE, changes(Kind::TokenRevoked), oauth::revoke)
        .get("/tokens", OPERATE, api_tokens::list)
        .post("/tokens", OPERATE, changes(Kind::ApiTokenMade), api_tokens::make)
        .delete("/tokens/{name}", OPERATE, changes(Kind::ApiTokenRevoked), api_tokens::revoke)
        .get("/webhooks", OPERATE, webhooks::list)
        .post("/webhooks/retry", OPERATE, changes(Kind::WebhooksRetried), webhooks::retry)
        .post("/webhooks/drop", OPERATE, changes(Kind::WebhooksDropped), webhooks::drop)
}

/// Routes for sessions. While sessions are off, they answer `sessions_off` to every request.
fn second_layer() -> Routes {
    Routes::default()
        .get("/providers", LOGIN, auth::providers)
        .post("/auth/login", LOGIN, STEP, auth::login)
        .post("/auth/verify", CHECK, ANSWERS, auth::verify)
        .post("/auth/refresh", LOGIN, STEP, auth::refresh)
        .post("/auth/logout", LOGIN, STEP, auth::logout)
        .get("/auth/forward", CHECK, forward::forward)
        .any("/auth/envoy/", CHECK, forward::envoy)
        .any("/auth/envoy/{*path}", CHECK, forward::envoy)
        .get("/users", OPERATE, users::list)
        .post("/users", OPERATE, changes(Kind::UserInvited), users::invite)
        .get("/users/{id}", OPERATE, users::show)
        .patch("/users/{id}", OPERATE, changes(Kind::UserChanged), users::change)
        .delete("/users/{id}", OPERATE, changes(Kind::UserDeleted), users::delete)
        .get("/users/{id}/sessions", OPERATE, users::sessions)
        .post("/users/{id}/revoke-sessions", OPERATE, changes(Kind::SessionsRevoked), users::revoke_sessions)
        .delete("/sessions/{id}", OPERATE, changes(Kind::SessionsRevoked), auth::revoke)
        .get("/audit", OPERATE, audit::list)
}

/// Routes for thirdweb. While it is off, they answer `thirdweb_off`.
fn thirdweb() -> Routes {
    Routes::default().post("/thirdweb/payload", LOGIN, STEP, thirdweb::payload).post(
        "/thirdweb/login",
        LOGIN,
        STEP,
        thirdweb::login,
    )
}

/// Routes for web apps that send people to the sign-in page. While it is off, they answer `web_off`.
fn web() -> Routes {
    Routes::default().post("/web/redeem", LOGIN, STEP, sign_in_page::redeem)
}

/// The paths of the routes that are off.
pub(super) fn paths_that_are_off(sessions: bool, with_thirdweb: bool, with_page: bool) -> Vec<&'static str> {
    let off = [(!sessions).then(second_layer), (!with_thirdweb).then(thirdweb), (!with_page).then(web)];
    off.into_iter().flatten().flat_map(|routes| routes.listed).map(|(path, _)| path).collect()
}

/// What each route needs.
pub(super) fn table(with_ui: bool) -> Table {
    let parts = [quick(), second_layer(), thirdweb(), web(), patient()];
    let parts = parts.into_iter().chain(with_ui.then(ui::routes));
    Table::of(parts.flat_map(|routes| routes.listed))
}

/// Routes with long answers, which have deadlines of their own.
fn patient() -> Routes {
    Routes::default().get("/events/{stream_id}", LOGIN, events::read).get("/ws", COMMANDS, ws::upgrade)
}

pub(super) fn router(api: Api, request_timeout: Duration) -> Router {
    let second_layer =
        second_layer().router.route_layer(middleware::from_fn_with_state(api.clone(), if_sessions_are_on));
    let thirdweb =
        thirdweb().router.route_layer(middleware::from_fn_with_state(api.clone(), if_thirdweb_is_on));
    let web = web().router.route_layer(middleware::from_fn_with_state(api.clone(), if_web_is_on));
    let quick = quick().router.merge(second_layer).merge(thirdweb).merge(web);
    let quick = if api.ui.is_some() { quick.merge(ui::routes().router) } else { quick };
    let quick = quick.layer(middleware::from_fn_with_state(request_timeout, give_up));
    quick
        .merge(patient().router)
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(api.clone(), pass))
        .with_state(api)
}

/// Routes, and a list of them to compare with `openapi.json`.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Api>,
    listed: Vec<(&'static str, Row)>,
}

impl Routes {
    /// A route that changes nothing.
    pub(super) fn get<H: Handler<T, Api>, T: 'static>(
        self,
        path: &'static str,
        needs: Needs,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::GET, (path, (Method::GET, needs, ANSWERS)), handler)
    }

    pub(super) fn post<H: Handler<T, Api>, T: 'static>(
        self,
        path: &'static str,
        needs: Needs,
        effect: Effect,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::POST, (path, (Method::POST, needs, effect)), handler)
    }

    pub(super) fn delete<H: Handler<T, Api>, T: 'static>(
        self,
        path: &'static str,
        needs: Needs,
        effect: Effect,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::DELETE, (path, (Method::DELETE, needs, effect)), handler)
    }

    fn patch<H: Handler<T, Api>, T: 'static>(
        self,
        path: &'static str,
        needs: Needs,
        effect: Effect,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::PATCH, (path, (Method::PATCH, needs, effect)), handler)
    }

    /// A route with any method, which changes nothing. `openapi.json` has it once.
    fn any<H: Handler<T, Api>, T: 'static>(self, path: &'static str, needs: Needs, handler: H) -> Self {
        let all = [MethodFilter::POST, MethodFilter::PUT, MethodFilter::PATCH, MethodFilter::DELETE];
        let all = all.into_iter().fold(MethodFilter::GET, MethodFilter::or).or(MethodFilter::OPTIONS);
        self.on(all, (path, (Method::GET, needs, ANSWERS)), handler)
    }

    fn on<H: Handler<T, Api>, T: 'static>(
        mut self,
        filter: MethodFilter,
        (path, row): (&'static str, Row),
        handler: H,
    ) -> Self {
        self.listed.push((path, row));
        Self { router: self.router.route(path, on(filter, handler)), ..self }
    }
}

async fn pass(State(api): State<Api>, request: Request, next: Next) -> Response {
    door(&api.metrics, request, |request| guard(&api, request, next)).await
}

async fn give_up(State(after): State<Duration>, request: Request, next: Next) -> Response {
    tokio::time::timeout(after, next.run(request)).await.unwrap_or_else(|_| {
        let message = "the request took longer than local.request_timeout";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", message).into_response()
    })
}

async fn if_sessions_are_on(State(api): State<Api>, request: Request, next: Next) -> Response {
    if_on(api.sessions().map(drop), request, next).await
}

async fn if_thirdweb_is_on(State(api): State<Api>, request: Request, next: Next) -> Response {
    if_on(api.thirdweb().map(drop), request, next).await
}

async fn if_web_is_on(State(api): State<Api>, request: Request, next: Next) -> Response {
    if_on(api.page().map(drop), request, next).await
}

async fn if_on(on: Result<(), ApiError>, request: Request, next: Next) -> Response {
    match on {
        Ok(()) => next.run(request).await,
        Err(error) => {
            read_off(request).await;
            error.into_response()
        }
    }
}

async fn no_such_route(request: Request) -> ApiError {
    read_off(request).await;
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such route")
}

async fn wrong_method(request: Request) -> ApiError {
    read_off(request).await;
    let message = "this route does not take this method";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_route_is_documented_and_every_documented_route_is_there() {
        let parts = [quick(), second_layer(), thirdweb(), web(), patient()];
        let routes = parts.into_iter().flat_map(|routes| routes.listed);
        // OpenAPI has no word for a parameter with slashes in it.
        let there: BTreeSet<_> =
            routes.map(|(path, (method, ..))| (path.replace("{*", "{"), method.to_string())).collect();
        let mut documented = BTreeSet::new();
        for (path, operations) in openapi::document()["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
                documented.insert((path.clone(), method.to_uppercase()));
            }
        }
        assert_eq!(there, documented);
    }

    /// What a row says in `security` of the document: nothing, or the right that the token must have.
    fn as_documented(needs: Needs) -> Value {
        match needs {
            Needs::Document | Needs::Nothing => json!([{}]),
            Needs::Commands => json!([{}, { "token": [] }]),
            Needs::Right(right) => json!([{ "token": [right.word()] }]),
            Needs::Page(_) => unreachable!("the document leaves out the operator's page"),
        }
    }

    #[test]
    fn the_document_says_of_every_route_what_the_table_says() {
        let document = openapi::document();
        let parts = [quick(), second_layer(), thirdweb(), web(), patient()];
        for (path, (method, needs, effect)) in parts.into_iter().flat_map(|routes| routes.listed) {
            let operation = &document["paths"][path.replace("{*", "{")][method.as_str().to_lowercase()];
            assert_eq!(operation["security"], as_documented(needs), "{method} {path}");
            let audited = effect.audited_as().map(Kind::as_str);
            assert_eq!(operation["x-audit"].as_str(), audited, "{method} {path}");
        }
    }

    /// The document is for programs. The page's routes are for the page alone, which comes with the same program, and
    /// may change with every version.
    #[test]
    fn the_document_has_every_route_but_those_of_the_operators_page() {
        let document = openapi::document();
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
        assert!(!paths.iter().any(|path| path.starts_with("/ui")), "{paths:?}");
        for (path, (method, needs, _)) in ui::routes().listed {
            assert!(matches!(needs, Needs::Page(_)) && path.starts_with("/ui"), "{method} {path}");
        }
        let others =
            [quick(), second_layer(), thirdweb(), web(), patient()].into_iter().flat_map(|r| r.listed);
        for (path, (method, needs, _)) in others {
            assert!(!matches!(needs, Needs::Page(_)) && !path.starts_with("/ui"), "{method} {path}");
        }
    }
}
