//! The relays: their states, and changes at run time.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::api::Api;
use crate::api::caller::Asker;
use crate::http::body::JsonBody;
use crate::http::envelope::{ApiError, ok};
use crate::metrics::Limit;
use crate::roster::RosterError;

/// Which relay.
#[derive(Deserialize)]
pub(in crate::api) struct Which {
    pub(in crate::api) relay: String,
}

pub(in crate::api) async fn list(State(api): State<Api>) -> Response {
    ok(json!({ "relays": api.roster.reports().await }))
}

pub(in crate::api) async fn add(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(which): JsonBody<Which>,
) -> Result<Response, ApiError> {
    Ok(ok(json!({ "relay": api.roster.add(&which.relay, actor).await?.to_string() })))
}

pub(in crate::api) async fn remove(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(which): JsonBody<Which>,
) -> Result<Response, ApiError> {
    Ok(ok(json!({ "relay": api.roster.remove(&which.relay, actor).await?.to_string() })))
}

impl From<RosterError> for ApiError {
    fn from(error: RosterError) -> Self {
        let message = error.to_string();
        match error {
            RosterError::BadRequest(message) => Self::bad_request(message),
            RosterError::TooMany => Self::limit_reached(Limit::Relays, message, None),
            RosterError::NoSuchRelay(_) => Self::new(StatusCode::NOT_FOUND, "no_such_relay", message),
            RosterError::NoRelay => Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_relay", message),
            RosterError::Stopping | RosterError::Relay(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message)
            }
            RosterError::Store(error) => error.into(),
        }
    }
}
