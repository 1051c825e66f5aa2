//! Caching of answers: no cache may keep an answer, unless the answer itself allows it.

use axum::http::{HeaderValue, header};
use axum::response::Response;

/// Answers contain data about users, tokens and the current state.
pub(crate) fn kept_by_nobody(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Over TCP, the page that asks decides who may read an answer. A cache that does not know this would give the answer
/// for one page to another page.
pub(crate) fn varies_by_origin(mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    response
}
