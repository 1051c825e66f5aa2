//! Which web pages may read an answer (CORS): those of one origin, or all of them where it is a public document.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// How long a copy of a document may be used.
const KEEP: HeaderValue = HeaderValue::from_static("max-age=60");

/// What web pages may send along.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-match, if-none-match, last-event-id, traceparent, x-request-id",
);

/// What they may read of an answer.
const EXPOSED: HeaderValue = HeaderValue::from_static("etag, retry-after, x-request-id");

/// Whether a browser asks if a web page may ask.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(header::ORIGIN)
}

/// The answer to that.
pub(crate) fn preflight() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// A document, for every web page (NIP-05 asks for it). `is_kept`: for a minute, a copy will do.
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
