//! The keys of access tokens.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::api::Api;
use crate::api::caller::Asker;
use crate::http::envelope::{ApiError, ok};
use crate::tokens::SigningKeyState;

/// RFC 7517 §5 defines this answer: no envelope. A key is published long before it signs, except after two rotations
/// in a row. So caches may keep the answer only for a short time.
pub(in crate::api) async fn jwks(State(api): State<Api>) -> impl IntoResponse {
    key_set(api.tokens.mint().jwks())
}

/// The keys that many JOSE libraries cannot read, in a set of their own.
pub(in crate::api) async fn secp256k1(State(api): State<Api>) -> impl IntoResponse {
    key_set(api.tokens.mint().secp256k1_jwks())
}

fn key_set(keys: Value) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, "max-age=60")];
    (headers, Json(keys))
}

pub(in crate::api) async fn list(State(api): State<Api>) -> Response {
    let keys: Vec<_> = api.tokens.mint().states().iter().map(to_json).collect();
    ok(json!({ "keys": keys }))
}

pub(in crate::api) async fn rotate(
    State(api): State<Api>,
    Asker(actor): Asker,
) -> Result<Response, ApiError> {
    Ok(ok(json!({ "key": to_json(&api.rotation.rotate(&actor).await?) })))
}

fn to_json(key: &SigningKeyState) -> Value {
    json!({
        "kid": key.kid,
        "alg": key.algorithm,
        "state": key.state,
        "created_at": key.created_at,
        "retired_at": key.retired_at,
    })
}
