//! Recurring payments that were closed, which clients of the reference daemon ask about at their start. Nothing recurs
//! here, so there is nothing to tell, now or ever.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::envelope::ok;

/// The stream that would tell of them, as the reference daemon calls it.
pub(in crate::api) const STREAM: &str = "recurring-payment-close";

/// The stream as it is read, or as it is followed (Server-Sent Events).
pub(super) fn read(follows: bool) -> Response {
    if follows {
        return StatusCode::NO_CONTENT.into_response();
    }
    ok(json!({ "stream_id": STREAM, "events": [], "ended": true }))
}
