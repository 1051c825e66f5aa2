//! The events that the webhook's receiver has not accepted yet: lists, retries and drops them.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Api;
use crate::api::caller::Asker;
use crate::http::body::{JsonBody, QueryParam};
use crate::http::envelope::{ApiError, ok};
use crate::portal::StreamId;
use crate::webhook::{Delivery, DeliveryState};

/// The most deliveries that are listed one by one.
const MAX_LISTED: usize = 1_000;

/// Of one stream, or of all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Scope {
    stream_id: Option<String>,
}

/// The deliveries to drop.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Dropped {
    stream_id: Option<String>,
    #[serde(default)]
    all: bool,
}

impl Scope {
    fn stream(&self) -> Result<Option<StreamId>, ApiError> {
        let parsed = self.stream_id.as_ref().map(|stream| stream.parse());
        parsed.transpose().map_err(|_| ApiError::no_such_stream())
    }
}

pub(in crate::api) async fn list(
    State(api): State<Api>,
    QueryParam(scope): QueryParam<Scope>,
) -> Result<Response, ApiError> {
    let owed = api.webhooks.undelivered(scope.stream()?, MAX_LISTED).await?;
    let deliveries: Vec<Value> = owed.deliveries.iter().map(show).collect();
    Ok(ok(json!({
        "enabled": api.webhooks.enabled(),
        "waiting": owed.waiting,
        "failed": owed.failed,
        "deliveries": deliveries,
    })))
}

pub(in crate::api) async fn retry(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(scope): JsonBody<Scope>,
) -> Result<Response, ApiError> {
    Ok(ok(json!({ "retried": api.webhooks.retry(scope.stream()?, &actor).await? })))
}

pub(in crate::api) async fn drop(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(Dropped { stream_id, all }): JsonBody<Dropped>,
) -> Result<Response, ApiError> {
    // A dropped event is never delivered, so the caller must ask explicitly to drop all of them.
    if stream_id.is_some() == all {
        return Err(ApiError::bad_request("body: must have either stream_id or all: true"));
    }
    let stream = Scope { stream_id }.stream()?;
    Ok(ok(json!({ "dropped": api.webhooks.drop_undelivered(stream, &actor).await? })))
}

fn show(delivery: &Delivery) -> Value {
    let (state, next_at, failed_at) = match delivery.state {
        DeliveryState::Head(at) => ("waiting", Some(at), None),
        DeliveryState::Behind => ("waiting", None, None),
        DeliveryState::Failed(at) => ("failed", None, Some(at)),
    };
    json!({
        "stream_id": delivery.stream.to_string(),
        "index": delivery.index,
        "state": state,
        "attempts": delivery.attempts,
        "since": delivery.since.to_string(),
        "next_at": next_at.map(|at| at.to_string()),
        "failed_at": failed_at.map(|at| at.to_string()),
        "last_error": delivery.last_error,
    })
}
