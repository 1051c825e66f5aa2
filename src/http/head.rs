//! The bound on the head of a request: one for the whole head, however it arrives.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::envelope::ApiError;
use crate::metrics::Limit;

/// The largest head of a request, in bytes: request line, fields and line ends. hyper takes at most 100 fields.
pub(crate) const MAX_HEAD: usize = 32 * 1024;

/// The most fields of a head. hyper checks it.
pub(crate) const MAX_FIELDS: usize = 100;

/// The error text for a head that is too large.
pub(crate) const TOO_LARGE: &str = "the head of a request must be at most 32 KiB, with at most 100 fields";

/// The code of [`TOO_LARGE`].
pub(crate) const CODE: &str = "headers_too_large";

/// Whether the head of a request is within the bound.
pub(crate) fn fits(request: &Request) -> bool {
    size(request.method(), request.uri(), request.headers()) <= MAX_HEAD
}

/// Whether the length of the body is given in a way that Portico knows: no transfer coding but `chunked`, once.
/// hyper looks at the last coding only, and would take the others for the content.
pub(crate) fn has_known_coding(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (fields.next(), fields.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// The answer to a request with a transfer coding that Portico does not know (RFC 9112 §6.1). The connection ends with
/// it, because nobody knows where the body ends.
pub(crate) fn unknown_coding() -> Response {
    let message = "Transfer-Encoding: only chunked is supported";
    let error = ApiError::new(StatusCode::NOT_IMPLEMENTED, "unsupported_coding", message);
    ([(header::CONNECTION, HeaderValue::from_static("close"))], error).into_response()
}

/// The answer to a request with a head that is too large. The connection ends with it, as after hyper's own refusals.
pub(crate) fn too_large() -> Response {
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let error = ApiError::new(status, CODE, TOO_LARGE).because_of(Limit::HeadSize);
    ([(header::CONNECTION, HeaderValue::from_static("close"))], error).into_response()
}

/// The size of a head as clients write it, with one blank after each colon.
fn size(method: &Method, uri: &Uri, headers: &HeaderMap) -> usize {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len())
        + uri.authority().map_or(0, |authority| authority.as_str().len())
        + uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let fields: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + ": \r\n".len() + value.len()).sum();
    method.as_str().len() + target + "  HTTP/1.1\r\n\r\n".len() + fields
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_head_is_as_large_as_it_is_on_the_wire() {
        for (target, fields) in [
            ("/", vec![]),
            ("/info?x=1", vec![("host", "localhost"), ("cookie", "a=b"), ("cookie", "c=d")]),
            ("http://localhost:3000/info", vec![("host", "localhost:3000")]),
        ] {
            let written: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let written = format!("GET {target} HTTP/1.1\r\n{written}\r\n");
            let builder = axum::http::Request::builder().uri(target);
            let request = fields.iter().fold(builder, |builder, (k, v)| builder.header(*k, *v));
            let request = request.body(Body::empty()).unwrap();
            assert_eq!(size(request.method(), request.uri(), request.headers()), written.len(), "{target}");
        }
    }

    #[test]
    fn a_body_in_another_coding_is_not_read_as_if_it_had_none() {
        let known = |codings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(header::TRANSFER_ENCODING, HeaderValue::from_static(coding));
            }
            has_known_coding(&headers)
        };
        assert!(known(&[]) && known(&["chunked"]) && known(&[" Chunked "]));
        for bad in ["gzip, chunked", "chunked, chunked", "identity", "gzip", "", "chunked;q=1"] {
            assert!(!known(&[bad]), "{bad}");
        }
        assert!(!known(&["gzip", "chunked"]));
    }

    #[test]
    fn the_bound_holds_for_the_target_and_the_fields_together() {
        let request = |target: usize, field: usize| {
            let uri = format!("/{}", "x".repeat(target));
            let builder = axum::http::Request::builder().uri(uri).header("cookie", "x".repeat(field));
            fits(&builder.body(Body::empty()).unwrap())
        };
        let frame = "GET / HTTP/1.1\r\ncookie: \r\n\r\n".len();
        for (target, field) in
            [(0, MAX_HEAD - frame), (MAX_HEAD - frame, 0), (20_000, MAX_HEAD - frame - 20_000)]
        {
            assert!(request(target, field), "{target} {field}");
            assert!(!request(target + 1, field) && !request(target, field + 1), "{target} {field}");
        }
    }
}
