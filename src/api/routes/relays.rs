//! The set of relays: how each is doing, and changes at run time.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::api::Api;
use crate::api::body::JsonBody;
use crate::api::envelope::{ApiError, ok};

/// Which relay.
#[derive(Deserialize)]
pub(in crate::api) struct Which {
    pub(in crate::api) relay: String,
}

pub(in crate::api) async fn list(State(api): State<Api>) -> Response {
    ok(json!({ "relays": api.portal.relay_states().await }))
}

pub(in crate::api) async fn add(
    State(api): State<Api>,
    JsonBody(which): JsonBody<Which>,
) -> Result<Response, ApiError> {
    Ok(ok(json!({ "relay": api.portal.add_relay(&which.relay).await?.to_string() })))
}

pub(in crate::api) async fn remove(
    State(api): State<Api>,
    JsonBody(which): JsonBody<Which>,
) -> Result<Response, ApiError> {
    Ok(ok(json!({ "relay": api.portal.remove_relay(&which.relay).await?.to_string() })))
}
