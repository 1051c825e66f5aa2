//! The files of the page. They are in the program, and name nothing outside of it.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Scripts and styles of this origin alone; no text can become code (trusted types); no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

const HARDENED: [(HeaderName, HeaderValue); 7] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    ),
];

/// An answer at `/ui/`, of whatever kind, with what browsers are to enforce.
pub(super) fn hardened(mut response: Response) -> Response {
    response.headers_mut().extend(HARDENED);
    response
}

pub(super) async fn to_the_page() -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "/ui/")]).into_response()
}

pub(super) async fn page() -> Response {
    file("text/html; charset=utf-8", include_bytes!("static/index.html"))
}

pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_bytes!("static/ui.css"))
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_bytes!("static/ui.js"))
}

pub(super) async fn icon() -> Response {
    file("image/svg+xml", include_bytes!("static/icon.svg"))
}

fn file(kind: &'static str, bytes: &'static [u8]) -> Response {
    ([(header::CONTENT_TYPE, kind)], bytes).into_response()
}
