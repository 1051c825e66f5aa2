//! `GET /openapi.json`: what every route takes and answers, for programs (OpenAPI 3.1).
//!
//! The document is a file of its own, `openapi.json`. Tests compare it with the router's routes and with a daemon's
//! answers.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::VERSION;

static SERVED: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document().to_string()));

/// The document, of this version of the program.
pub(super) fn document() -> Value {
    let mut document: Value = serde_json::from_str(include_str!("openapi.json")).unwrap_or_default();
    document["info"]["version"] = VERSION.into();
    document
}

pub(super) async fn serve() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], SERVED.clone()).into_response()
}
