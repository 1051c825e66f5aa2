//! The WebSocket API: commands, their answers, and streams that are followed.
//!
//! `connection.rs` moves frames, `request.rs` reads messages into commands, `command.rs` runs them, `answer.rs`
//! writes the answers.

mod answer;
mod command;
mod connection;
pub(super) mod request;
mod unknown;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::Api;
use super::caller::Caller;
use crate::http::MAX_BODY;
use crate::http::envelope::ApiError;
use crate::http::observe::RequestId;
use crate::http::places::Place;
use connection::Connection;

/// The supported version of the WebSocket protocol (RFC 6455 §4.1).
const VERSION: &str = "13";

/// What a connection reads at a time. The default of tungstenite is 128 KiB, which every connection would hold.
const READ_BUFFER: usize = 8 * 1024;

/// Turns the connection into a WebSocket (RFC 6455 §4.2).
///
/// This is done by hand with tungstenite, which the relays use as well, so that the program contains one copy of it.
pub(super) async fn upgrade(State(api): State<Api>, mut request: Request) -> Result<Response, ApiError> {
    if !asks_for_a_websocket(&request) {
        return Ok(not_a_websocket());
    }
    let accept = accept_key(request.headers())?;
    let caller = request.extensions().get::<Caller>().cloned().ok_or_else(ApiError::internal)?;
    let id = request.extensions().get::<RequestId>().cloned().ok_or_else(ApiError::internal)?;
    let place = request.extensions().get::<Arc<Place>>().cloned().ok_or_else(ApiError::internal)?;
    let upgraded = hyper::upgrade::on(&mut request);
    let lifecycle = api.lifecycle.clone();
    lifecycle.spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let connection = Connection::new(api, caller, id, place);
        let limits = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(MAX_BODY))
            .max_frame_size(Some(MAX_BODY))
            .max_write_buffer_size(connection::MAX_UNSENT);
        let stream = connection.until_known(TokioIo::new(upgraded));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(limits)).await;
        connection.run(socket).await;
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// Whether a request is a WebSocket handshake (RFC 6455 §4.2.1). HTTP/1.0 has no upgrades (RFC 9110 §7.8).
fn asks_for_a_websocket(request: &Request) -> bool {
    let headers = request.headers();
    let names = |name, word: &str| {
        let mut items = headers.get_all(name).iter().flat_map(|list| list.as_bytes().split(|b| *b == b','));
        items.any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    request.method() == Method::GET
        && request.version() >= Version::HTTP_11
        && names(header::UPGRADE, "websocket")
        && names(header::CONNECTION, "upgrade")
        && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == VERSION)
}

/// The value of `Sec-WebSocket-Accept`, if the request has one valid key.
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().filter(|key| keys.next().is_none() && is_key(key.as_bytes()));
    let key = key.ok_or_else(|| ApiError::bad_request("Sec-WebSocket-Key: must be 16 bytes in base64"))?;
    HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| ApiError::internal())
}

/// 16 bytes in base64. The unused bits are ignored, because some clients do not clear them.
fn is_key(text: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.len() == 24 && text.strip_suffix(b"==").is_some_and(|digits| digits.iter().all(is_digit))
}

/// Names the required protocol (RFC 9110 §15.5.22), and its version (RFC 6455 §4.4).
fn not_a_websocket() -> Response {
    let message = "this route speaks WebSocket, version 13 (RFC 6455)";
    let error = ApiError::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message);
    let wanted = [
        (header::CONNECTION, "upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_VERSION, VERSION),
    ];
    (wanted, error).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A valid request of a client, with these changes.
    fn request(method: Method, version: Version, changed: &[(&'static str, &'static str)]) -> Request {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", VERSION),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .iter()
        .chain(changed)
        {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let mut request =
            axum::http::Request::builder().method(method).version(version).body(Body::empty()).unwrap();
        *request.headers_mut() = headers;
        request
    }

    #[test]
    fn only_a_get_of_http_1_1_that_asks_for_it_becomes_a_websocket() {
        let asks = |method, version, changed: &[_]| asks_for_a_websocket(&request(method, version, changed));
        assert!(asks(Method::GET, Version::HTTP_11, &[]));
        assert!(!asks(Method::HEAD, Version::HTTP_11, &[]));
        assert!(!asks(Method::GET, Version::HTTP_10, &[]));
        for other in [("connection", "close"), ("upgrade", "h2c"), ("sec-websocket-version", "8")] {
            assert!(!asks(Method::GET, Version::HTTP_11, &[other]), "{other:?}");
        }
    }

    #[test]
    fn a_key_is_sixteen_bytes_in_base64() {
        let accept =
            |key| accept_key(request(Method::GET, Version::HTTP_11, &[("sec-websocket-key", key)]).headers());
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ==").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for bad in [
            "",
            "short",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZ-==",
            "dGhlIHNhbXBsZSBub25jZTE=",
            "dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ==",
        ] {
            assert_eq!(accept(bad).unwrap_err().status, StatusCode::BAD_REQUEST, "{bad}");
        }
        let mut two = request(Method::GET, Version::HTTP_11, &[]);
        two.headers_mut().append("sec-websocket-key", HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(accept_key(two.headers()).is_err());
    }
}
