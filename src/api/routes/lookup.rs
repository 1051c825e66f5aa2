//! Profiles and NIP-05 names.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::api::Api;
use crate::api::public_key::public_key;
use crate::http::body::PathParam;
use crate::http::envelope::{ApiError, ok};

pub(in crate::api) async fn profile(
    State(api): State<Api>,
    PathParam(key): PathParam<String>,
) -> Result<Response, ApiError> {
    let key = public_key("key", &key)?;
    Ok(ok(json!({ "profile": api.directory.profile(&key).await })))
}

pub(in crate::api) async fn nip05(
    State(api): State<Api>,
    PathParam(address): PathParam<String>,
) -> Result<Response, ApiError> {
    Ok(ok(json!({ "profile": api.directory.nip05(&address).await? })))
}
