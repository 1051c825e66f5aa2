//! Streams of events.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::api::Api;
use crate::api::body::{PathParam, QueryParam};
use crate::api::envelope::{ApiError, ok};
use crate::auth::StreamId;

#[derive(Deserialize)]
pub(in crate::api) struct After {
    after: Option<u64>,
}

pub(in crate::api) async fn read(
    State(api): State<Api>,
    PathParam(stream): PathParam<String>,
    QueryParam(After { after }): QueryParam<After>,
) -> Result<Response, ApiError> {
    let stream: StreamId = stream.parse().map_err(|_| ApiError::no_such_stream())?;
    let page = api.auth.events().read(stream, after.unwrap_or(0)).await?;
    let page = page.ok_or_else(ApiError::no_such_stream)?;
    Ok(ok(json!({ "stream_id": stream.to_string(), "events": page.events, "ended": page.ended })))
}
