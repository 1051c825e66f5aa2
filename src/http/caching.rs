//! Who may keep a copy of an answer: nobody, unless the answer itself says so.

use axum::http::{HeaderValue, header};
use axum::response::Response;

/// Answers tell of users, tokens, and how things are at this moment.
pub(crate) fn kept_by_nobody(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Over TCP, who may read an answer depends on the page that asks. A cache that does not know this gives one page the
/// answer to another.
pub(crate) fn varies_by_origin(mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    response
}
