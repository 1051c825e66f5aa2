//! The one layer before every route: it logs and counts the request, catches panics, and asks the guard whether to
//! admit it.
//!
//! It is one layer, because each layer around a router costs every request several allocations.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::envelope::ApiError;
use super::observe::Observed;
use crate::metrics::Metrics;

/// Passes a request to `guard`, which answers it or passes it on to the router.
pub(crate) async fn door<F: Future<Output = Response>>(
    metrics: &Metrics,
    mut request: Request,
    guard: impl FnOnce(Request) -> F,
) -> Response {
    let observed = Observed::begin(&mut request);
    // A panic of a handler affects only its own answer, because shared state is never left broken.
    let handled = AssertUnwindSafe(async { guard(request).await }).catch_unwind();
    let response = handled.instrument(observed.span()).await;
    observed.end(response.unwrap_or_else(|_| ApiError::internal().into_response()), metrics)
}
