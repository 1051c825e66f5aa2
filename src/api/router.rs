//! The whole surface on one screen.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};

use super::guard::guard;
use super::routes::{
    audit, auth, events, forward, jwt, keys, logins, lookup, meta, oauth, relays, thirdweb, users, webhooks,
};
use super::{Api, openapi, ws};
use crate::http::body::read_off;
use crate::http::door::door;
use crate::http::envelope::ApiError;

/// Routes that answer within `local.request_timeout`.
fn quick() -> Routes {
    Routes::default()
        .get("/health", meta::health)
        .get("/ready", meta::ready)
        .get("/version", meta::version)
        .get("/info", meta::info)
        .get("/metrics", meta::metrics)
        .get("/openapi.json", openapi::serve)
        .get("/.well-known/nostr.json", meta::nostr_json)
        .get("/well-known/nostr.json", meta::enveloped_nostr_json)
        .post("/key-handshake", logins::key_handshake)
        .delete("/key-handshake/{stream_id}", logins::delete_key_handshake)
        .post("/authenticate-key", logins::authenticate_key)
        .post("/login", logins::login)
        .post("/jwt/issue", jwt::issue)
        .post("/jwt/verify", jwt::verify)
        .post("/jwt/revoke", jwt::revoke)
        .get("/profile/{key}", lookup::profile)
        .get("/nip05/{address}", lookup::nip05)
        .get("/relays", relays::list)
        .post("/relays", relays::add)
        .delete("/relays", relays::remove)
        .get("/.well-known/jwks.json", keys::jwks)
        .get("/.well-known/portico/secp256k1.json", keys::secp256k1)
        .get("/keys", keys::list)
        .post("/keys/rotate", keys::rotate)
        .post("/oauth/introspect", oauth::introspect)
        .post("/oauth/revoke", oauth::revoke)
        .get("/webhooks", webhooks::list)
        .post("/webhooks/retry", webhooks::retry)
        .post("/webhooks/drop", webhooks::drop)
}

/// Routes that there are where sessions are on. Elsewhere they answer `sessions_off`, whatever they are asked.
fn second_layer() -> Routes {
    Routes::default()
        .get("/providers", auth::providers)
        .post("/auth/login", auth::login)
        .post("/auth/verify", auth::verify)
        .post("/auth/refresh", auth::refresh)
        .post("/auth/logout", auth::logout)
        .get("/auth/forward", forward::forward)
        .any("/auth/envoy/", forward::envoy)
        .any("/auth/envoy/{*path}", forward::envoy)
        .get("/users", users::list)
        .post("/users", users::invite)
        .get("/users/{id}", users::show)
        .patch("/users/{id}", users::change)
        .delete("/users/{id}", users::delete)
        .get("/users/{id}/sessions", users::sessions)
        .post("/users/{id}/revoke-sessions", users::revoke_sessions)
        .delete("/sessions/{id}", auth::revoke)
        .get("/audit", audit::list)
}

/// Routes that there are where thirdweb is on.
fn thirdweb() -> Routes {
    Routes::default().post("/thirdweb/payload", thirdweb::payload).post("/thirdweb/login", thirdweb::login)
}

/// The paths of the routes that are off: they say so, whatever they are asked.
pub(super) fn paths_that_are_off(sessions: bool, with_thirdweb: bool) -> Vec<&'static str> {
    let off = [(!sessions).then(second_layer), (!with_thirdweb).then(thirdweb)];
    off.into_iter().flatten().flat_map(|routes| routes.listed).map(|(_, path)| path).collect()
}

/// Routes that live on, with deadlines of their own.
fn patient() -> Routes {
    Routes::default().get("/events/{stream_id}", events::read).get("/ws", ws::upgrade)
}

pub(super) fn router(api: Api, request_timeout: Duration) -> Router {
    let second_layer =
        second_layer().router.route_layer(middleware::from_fn_with_state(api.clone(), if_sessions_are_on));
    let thirdweb =
        thirdweb().router.route_layer(middleware::from_fn_with_state(api.clone(), if_thirdweb_is_on));
    let quick = quick().router.merge(second_layer).merge(thirdweb);
    let quick = quick.layer(middleware::from_fn_with_state(request_timeout, give_up));
    quick
        .merge(patient().router)
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(api.clone(), pass))
        .with_state(api)
}

/// Routes, and the list of them that the document of the API is compared with.
#[derive(Default)]
struct Routes {
    router: Router<Api>,
    listed: Vec<(Method, &'static str)>,
}

impl Routes {
    fn get<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(Method::GET, MethodFilter::GET, path, handler)
    }

    fn post<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(Method::POST, MethodFilter::POST, path, handler)
    }

    fn delete<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(Method::DELETE, MethodFilter::DELETE, path, handler)
    }

    fn patch<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(Method::PATCH, MethodFilter::PATCH, path, handler)
    }

    /// Whatever the method; the document has it once.
    fn any<H: Handler<T, Api>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        let all = [MethodFilter::POST, MethodFilter::PUT, MethodFilter::PATCH, MethodFilter::DELETE];
        let all = all.into_iter().fold(MethodFilter::GET, MethodFilter::or).or(MethodFilter::OPTIONS);
        self.on(Method::GET, all, path, handler)
    }

    fn on<H: Handler<T, Api>, T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.listed.push((method, path));
        Self { router: self.router.route(path, on(filter, handler)), ..self }
    }
}

async fn pass(State(api): State<Api>, request: Request, next: Next) -> Response {
    door(&api.metrics, request, |request| guard(&api.guard, request, next)).await
}

async fn give_up(State(after): State<Duration>, request: Request, next: Next) -> Response {
    tokio::time::timeout(after, next.run(request)).await.unwrap_or_else(|_| {
        let message = "this took longer than local.request_timeout";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", message).into_response()
    })
}

async fn if_sessions_are_on(State(api): State<Api>, request: Request, next: Next) -> Response {
    if_on(api.sessions().map(drop), request, next).await
}

async fn if_thirdweb_is_on(State(api): State<Api>, request: Request, next: Next) -> Response {
    if_on(api.thirdweb().map(drop), request, next).await
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
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no such route")
}

async fn wrong_method(request: Request) -> ApiError {
    read_off(request).await;
    let message = "this route does not take that method";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_documented_and_every_documented_route_is_there() {
        let parts = [quick(), second_layer(), thirdweb(), patient()];
        let routes = parts.into_iter().flat_map(|routes| routes.listed);
        // OpenAPI has no word for a parameter with slashes in it.
        let there: BTreeSet<_> =
            routes.map(|(method, path)| (path.replace("{*", "{"), method.to_string())).collect();
        let mut documented = BTreeSet::new();
        for (path, operations) in openapi::document()["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
                documented.insert((path.clone(), method.to_uppercase()));
            }
        }
        assert_eq!(there, documented);
    }
}
