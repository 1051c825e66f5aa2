//! The second layer: logins, checks of both layers, renewals, logouts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::api::Api;
use crate::api::caller::{Asker, Calling};
use crate::api::user_request::{UserRequest, credential};
use crate::events::{Member, OpenSession};
use crate::http::body::{HashedBody, JsonBody, PathParam};
use crate::http::envelope::{ApiError, ok, secret};
use crate::http::object::Object;
use crate::http::peer::Peer;
use crate::portal::StreamId;
use crate::session::{EndReason, Offered, Reason, SessionError, Sessions};
use crate::wallet::{Credential, WebRequest};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewSession {
    credential: Option<String>,
    provider: Option<String>,
    request: Option<Object<UserRequest>>,
}

/// The tokens in a request: see [`Offered`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Shown {
    access_token: Option<String>,
    credential: Option<String>,
    provider: Option<String>,
    request: Option<Object<UserRequest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Renewal {
    access_token: Option<String>,
    credential: Option<String>,
    provider: Option<String>,
    request: Option<Object<UserRequest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Logout {
    access_token: Option<String>,
    credential: Option<String>,
    provider: Option<String>,
    request: Option<Object<UserRequest>>,
    /// Every session of the user, not only this one.
    #[serde(default)]
    all: bool,
}

impl Api {
    /// Users and sessions, if they are on.
    pub(in crate::api) fn sessions(&self) -> Result<&Arc<Sessions>, ApiError> {
        self.sessions.as_ref().ok_or_else(|| {
            let message = "sessions are off: set sessions.enabled = true to switch them on";
            ApiError::new(axum::http::StatusCode::NOT_FOUND, "sessions_off", message)
        })
    }
}

/// The credential in the body; else the request itself, which the user signed and the web app passed on unchanged.
pub(in crate::api) async fn login(
    State(api): State<Api>,
    Asker(actor): Asker,
    Calling(peer): Calling,
    uri: Uri,
    headers: HeaderMap,
    HashedBody(new, body): HashedBody<NewSession>,
) -> Result<Response, ApiError> {
    let credential = match given(&new.credential) {
        Some(text) => credential(text, new.request.as_ref()),
        None => {
            let text = signed(peer, &headers).ok_or(Reason::NoCredential)?;
            let target = uri.path_and_query().map_or("/", |target| target.as_str());
            Credential { text, request: Some(WebRequest { method: "POST", target, body }) }
        }
    };
    let begun = api.sessions()?.login(new.provider.as_deref(), credential, actor).await;
    Ok(secret(begun.map_err(|error| ApiError::from(error).about(credential.text))?))
}

/// `Authorization: Nostr …`. Over TCP that header has the API token.
fn signed(peer: Peer, headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None, Peer::Unix { .. }) = (values.next(), values.next(), peer) else { return None };
    let text = value.to_str().ok()?;
    text.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("nostr ")).then_some(text)
}

fn offered<'a>(
    access_token: &'a Option<String>,
    text: &'a Option<String>,
    provider: &'a Option<String>,
    request: &'a Option<Object<UserRequest>>,
) -> Offered<'a> {
    Offered {
        access_token: given(access_token),
        credential: given(text).map(|text| credential(text, request.as_ref())),
        provider: provider.as_deref(),
    }
}

/// The value, if it is not empty. An empty text is no token, like an empty header.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// An error about one of the two layers, with a hint on the characters around a token that must go.
fn about(error: SessionError, offered: Offered<'_>) -> ApiError {
    let text = match error {
        SessionError::Refused(Reason::InvalidToken(_)) => offered.access_token,
        _ => offered.credential.map(|credential| credential.text),
    };
    ApiError::from(error).about(text.unwrap_or("-"))
}

pub(in crate::api) async fn verify(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(shown): JsonBody<Shown>,
) -> Result<Response, ApiError> {
    let Shown { access_token, credential, provider, request } = &shown;
    let offered = offered(access_token, credential, provider, request);
    let checked =
        api.sessions()?.check("verify", offered, &actor).await.map_err(|error| about(error, offered))?;
    let user = Member::from(&*checked.user);
    let session = OpenSession::from(&*checked.session);
    Ok(ok(json!({
        "active": true,
        "user": user,
        "session": session,
        "claims": checked.claims.as_deref(),
        "wallet": checked.wallet,
    })))
}

pub(in crate::api) async fn refresh(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(renewal): JsonBody<Renewal>,
) -> Result<Response, ApiError> {
    let Renewal { access_token, credential, provider, request } = &renewal;
    let offered = offered(access_token, credential, provider, request);
    let credential = offered.credential.ok_or(Reason::NoCredential)?;
    let renewed = api.sessions()?.refresh(offered.access_token, credential, offered.provider, &actor).await;
    Ok(secret(renewed.map_err(|error| about(error, offered))?))
}

pub(in crate::api) async fn logout(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(logout): JsonBody<Logout>,
) -> Result<Response, ApiError> {
    let Logout { access_token, credential, provider, request, all } = &logout;
    let offered = offered(access_token, credential, provider, request);
    let revoked =
        api.sessions()?.logout(offered, *all, actor).await.map_err(|error| about(error, offered))?;
    Ok(ok(json!({ "revoked": revoked })))
}

/// The wallet providers that are on.
pub(in crate::api) async fn providers(State(api): State<Api>) -> Result<Response, ApiError> {
    let (providers, default) = api.sessions()?.providers();
    Ok(ok(json!({ "providers": providers.collect::<Vec<_>>(), "default": default })))
}

/// Ends a session for an operator.
pub(in crate::api) async fn revoke(
    State(api): State<Api>,
    Asker(actor): Asker,
    PathParam(session): PathParam<String>,
) -> Result<Response, ApiError> {
    let sessions = api.sessions()?;
    let id: StreamId = session.parse().map_err(|_| ApiError::no_such_session())?;
    let fresh = sessions.revoke_session(id, EndReason::Operator, actor).await?;
    Ok(ok(json!({ "revoked": usize::from(fresh) })))
}
