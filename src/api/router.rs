//! The whole surface on one screen.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use super::envelope::ApiError;
use super::routes::{auth, events, jwt, lookup, meta, relays, webhooks};
use super::{Api, guard, ws};

pub(super) fn router(api: Api, request_timeout: Duration) -> Router {
    let guard = std::sync::Arc::clone(&api.guard);
    Router::new()
        .route("/health", get(meta::health))
        .route("/ready", get(meta::ready))
        .route("/version", get(meta::version))
        .route("/info", get(meta::info))
        .route("/.well-known/nostr.json", get(meta::nostr_json))
        .route("/well-known/nostr.json", get(meta::nostr_json))
        .route("/key-handshake", post(auth::key_handshake))
        .route("/key-handshake/{stream_id}", axum::routing::delete(auth::delete_key_handshake))
        .route("/authenticate-key", post(auth::authenticate_key))
        .route("/login", post(auth::login))
        .route("/jwt/issue", post(jwt::issue))
        .route("/jwt/verify", post(jwt::verify))
        .route("/jwt/revoke", post(jwt::revoke))
        .route("/profile/{key}", get(lookup::profile))
        .route("/nip05/{address}", get(lookup::nip05))
        .route("/relays", get(relays::list).post(relays::add).delete(relays::remove))
        .route("/webhooks", get(webhooks::list))
        .route("/webhooks/retry", post(webhooks::retry))
        .route("/webhooks/drop", post(webhooks::drop))
        .layer(middleware::from_fn_with_state(request_timeout, give_up))
        // These live on, with deadlines of their own.
        .route("/events/{stream_id}", get(events::read))
        .route("/ws", get(ws::upgrade))
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(guard, guard::guard))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(api)
}

async fn give_up(State(after): State<Duration>, request: Request, next: Next) -> Response {
    tokio::time::timeout(after, next.run(request)).await.unwrap_or_else(|_| {
        let message = "this took longer than local.request_timeout";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", message).into_response()
    })
}

async fn no_such_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no such route")
}

async fn wrong_method() -> ApiError {
    let message = "this route does not take that method";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::internal().into_response()
}
