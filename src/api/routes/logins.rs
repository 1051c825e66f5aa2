//! Handshakes and logins.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::Api;
use crate::api::public_key::public_key;
use crate::http::body::{JsonBody, PathParam};
use crate::http::envelope::{ApiError, created, ok};
use crate::portal::{OpenedUrl, StreamId};

/// The body of `POST /key-handshake`.
#[derive(Deserialize)]
pub(in crate::api) struct NewHandshake {
    pub(in crate::api) static_token: Option<String>,
    pub(in crate::api) no_request: Option<bool>,
}

pub(in crate::api) async fn key_handshake(
    State(api): State<Api>,
    JsonBody(new): JsonBody<NewHandshake>,
) -> Result<Response, ApiError> {
    api.may_open()?;
    let opened = api.portal.new_handshake(new.static_token, new.no_request.unwrap_or(false)).await?;
    Ok(created(Opened::of(&opened)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewLogin {
    static_token: Option<String>,
}

pub(in crate::api) async fn login(
    State(api): State<Api>,
    JsonBody(new): JsonBody<NewLogin>,
) -> Result<Response, ApiError> {
    api.may_open()?;
    let opened = api.portal.login(new.static_token).await?;
    Ok(created(Opened { relays_ready: Some(api.roster.ready()), ..Opened::of(&opened) }))
}

pub(in crate::api) async fn delete_key_handshake(
    State(api): State<Api>,
    PathParam(stream): PathParam<String>,
) -> Result<Response, ApiError> {
    let stream: StreamId = stream.parse().map_err(|_| ApiError::no_such_stream())?;
    api.portal.cancel(stream).await?;
    Ok(ok(json!({ "stream_id": stream.to_string() })))
}

/// The user to authenticate.
#[derive(Deserialize)]
pub(in crate::api) struct WhoIs {
    pub(in crate::api) main_key: String,
    #[serde(default)]
    pub(in crate::api) subkeys: Vec<String>,
}

pub(in crate::api) async fn authenticate_key(
    State(api): State<Api>,
    JsonBody(who): JsonBody<WhoIs>,
) -> Result<Response, ApiError> {
    let stream = authenticate(&api, &who).await?;
    Ok(created(json!({ "stream_id": stream.to_string() })))
}

/// Asks the user to approve a login; the same over HTTP and WebSocket.
pub(in crate::api) async fn authenticate(api: &Api, who: &WhoIs) -> Result<StreamId, ApiError> {
    api.may_open()?;
    let user = public_key("main_key", &who.main_key)?;
    let subkeys = who.subkeys.iter().map(|key| public_key("subkeys", key)).collect::<Result<Vec<_>, _>>()?;
    Ok(api.portal.authenticate(user, subkeys).await?)
}

/// The answer to a handshake URL or login URL that was opened.
#[derive(Serialize)]
struct Opened<'a> {
    url: &'a str,
    stream_id: StreamId,
    after: u64,
    /// Only for logins. While it is 0, nobody can scan the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    relays_ready: Option<usize>,
}

impl<'a> Opened<'a> {
    fn of(opened: &'a OpenedUrl) -> Self {
        Self { url: &opened.url, stream_id: opened.stream, after: opened.after, relays_ready: None }
    }
}
