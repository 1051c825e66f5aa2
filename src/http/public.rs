//! Which web pages may read an answer (CORS): those of one origin, or all of them if the answer is a public document.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// How long a cache may keep a document.
const KEEP: HeaderValue = HeaderValue::from_static("max-age=60");

/// The headers that web pages may send.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-match, if-none-match, last-event-id, traceparent, x-request-id",
);

/// The headers of an answer that they may read.
const EXPOSED: HeaderValue = HeaderValue::from_static("etag, retry-after, x-request-id");

/// Whether this is a browser's preflight request.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(header::ORIGIN)
}

/// The answer to a preflight request.
pub(crate) fn preflight() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// A document for every web page (NIP-05 requires it). `is_kept`: caches may keep it for a minute.
pub(crate) fn for_every_page(mut response: Response, is_kept: bool) -> Response {
    allow(response.headers_mut(), HeaderValue::from_static("*"), HeaderValue::from_static("GET, HEAD"));
    if is_kept && response.status() == StatusCode::OK {
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(KEEP);
    }
    response
}

/// An answer for the web pages of one origin.
pub(crate) fn for_pages_of(origin: HeaderValue, mut response: Response) -> Response {
    allow(response.headers_mut(), origin, HeaderValue::from_static("GET, POST, PATCH, DELETE"));
    response
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, methods: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
