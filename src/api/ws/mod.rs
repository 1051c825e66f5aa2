//! The WebSocket API: commands, their answers, and streams that are followed.
//!
//! `session.rs` moves frames, `request.rs` reads messages into commands, `command.rs` says what each of them
//! does, `answer.rs` what is said to the client.

mod answer;
mod command;
pub(super) mod request;
mod session;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::envelope::ApiError;
use super::guard::{Peer, TokenShown};
use super::observe::RequestId;
use super::places::Place;
use super::{Api, MAX_BODY};
use session::Session;

/// The version of the WebSocket protocol that is spoken here (RFC 6455 §4.1).
const VERSION: &str = "13";

/// Turns the connection into a WebSocket (RFC 6455 §4.2).
///
/// By hand, on the tungstenite that the relays use as well, so that there is one copy of it.
pub(super) async fn upgrade(State(api): State<Api>, mut request: Request) -> Result<Response, ApiError> {
    let Some(accept) = accept_key(request.headers()) else { return Ok(not_a_websocket()) };
    let peer = request.extensions().get::<Peer>().copied().ok_or_else(ApiError::internal)?;
    // The guard has checked a token that came in the header; a Unix peer needs none.
    let trusted = matches!(peer, Peer::Unix { .. }) || request.extensions().get::<TokenShown>().is_some();
    let id = request.extensions().get::<RequestId>().cloned().ok_or_else(ApiError::internal)?;
    let place = request.extensions().get::<Arc<Place>>().cloned().ok_or_else(ApiError::internal)?;
    let upgraded = hyper::upgrade::on(&mut request);
    let lifecycle = api.lifecycle.clone();
    lifecycle.spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_BODY))
            .max_frame_size(Some(MAX_BODY))
            .max_write_buffer_size(session::MAX_UNSENT);
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(limits)).await;
        Session::new(api, trusted, id, place).run(socket).await;
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// What the answer to a proper request carries. `None`: it is not one.
fn accept_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let names = |name, word: &str| {
        let mut items = headers.get_all(name).iter().flat_map(|list| list.as_bytes().split(|b| *b == b','));
        items.any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    let version = headers.get(header::SEC_WEBSOCKET_VERSION)?;
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    let is_proper =
        names(header::UPGRADE, "websocket") && names(header::CONNECTION, "upgrade") && version == VERSION;
    is_proper.then(|| HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok()).flatten()
}

/// Names the protocol that is wanted (RFC 9110 §15.5.22), and its version (RFC 6455 §4.4).
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
