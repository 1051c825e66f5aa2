//! Recurring payments that were closed. Clients of the reference daemon ask for them when they start. Portico has no
//! recurring payments, so there are never any events.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::envelope::ok;

/// The stream of these events, with its name in the reference daemon.
pub(in crate::api) const STREAM: &str = "recurring-payment-close";

/// The answer to a read, or to a follower (Server-Sent Events).
pub(super) fn read(follows: bool) -> Response {
    if follows {
        return StatusCode::NO_CONTENT.into_response();
    }
    ok(json!({ "stream_id": STREAM, "events": [], "ended": true }))
}
