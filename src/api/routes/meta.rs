//! What the daemon says of itself.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::body::QueryParam;
use crate::api::envelope::{ApiError, ok};
use crate::api::{Api, GIT_COMMIT, VERSION};

pub(in crate::api) async fn health() -> &'static str {
    "OK"
}

/// Whether a login could go through now: a relay is subscribed, the store can be written.
pub(in crate::api) async fn ready(State(api): State<Api>) -> Result<Response, ApiError> {
    Ok(ok(json!({ "ready": true, "relays_ready": api.auth.readiness().await? })))
}

pub(in crate::api) async fn version() -> Response {
    ok(json!({ "version": VERSION, "git_commit": GIT_COMMIT }))
}

pub(in crate::api) async fn info(State(api): State<Api>) -> Response {
    let public_key = api.auth.public_key();
    ok(json!({ "public_key": public_key, "version": VERSION, "git_commit": GIT_COMMIT }))
}

#[derive(Deserialize)]
pub(in crate::api) struct Name {
    name: Option<String>,
}

/// NIP-05 fixes the form of this answer: no envelope.
pub(in crate::api) async fn nostr_json(
    State(api): State<Api>,
    QueryParam(Name { name }): QueryParam<Name>,
) -> Json<Value> {
    Json(api.auth.nip05_document(name.as_deref()))
}
