//! What every request passes: it is observed, a panic is caught, and the guard decides whether it is let in.
//!
//! One layer for the three, because each layer around a router costs every request allocations of its own.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::Api;
use super::envelope::ApiError;
use super::guard::guard;
use super::observe::Observed;

pub(super) async fn door(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let observed = Observed::begin(&mut request);
    // A handler that panics has harmed nothing but its own answer: what handlers share has no broken states.
    let handled = AssertUnwindSafe(guard(&api.guard, request, next)).catch_unwind();
    let response = handled.instrument(observed.span()).await;
    observed.end(response.unwrap_or_else(|_| ApiError::internal().into_response()), &api.metrics)
}
