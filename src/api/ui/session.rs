//! Signs an operator in with an API token, and out.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::sessions::{PageSession, Secrets, Who};
use super::{Ui, cookie, door, origin};
use crate::api::Api;
use crate::api::caller::Calling;
use crate::http::body::JsonBody;
use crate::http::envelope::{ApiError, ok};
use crate::rights::Right;
use crate::session::EndReason;

/// An API token, once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    token: String,
}

impl Api {
    pub(super) fn ui(&self) -> Result<&Ui, ApiError> {
        self.ui.as_ref().ok_or_else(ApiError::internal)
    }
}

/// Whether somebody is signed in, and how anybody can.
pub(super) async fn show(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    let ui = api.ui()?;
    let with_wallet = api.sessions.is_some() && !ui.rules.role.is_empty();
    let session = door::session(&api, ui, &headers).await.ok();
    let seconds = session.as_ref().map(|session| (session.ends_at - Instant::now()).as_secs());
    let name =
        session.map(|session| session.label().map_or_else(|| "API token".into(), |label| label.to_string()));
    Ok(ok(json!({
        "signed_in": name.is_some(),
        "name": name,
        "seconds_left": seconds,
        "writes": ui.rules.writes,
        "with_wallet": with_wallet,
    })))
}

pub(super) async fn begin(
    State(api): State<Api>,
    Calling(peer): Calling,
    headers: HeaderMap,
    JsonBody(SignIn { token }): JsonBody<SignIn>,
) -> Result<Response, ApiError> {
    let caller = api.guard.identify(peer, token.trim())?;
    caller.require(Right::Operate)?;
    signed_in(&api, &headers, Who::Caller(caller))
}

/// The answer to a sign-in: the cookie, and the key in its body.
pub(super) fn signed_in(api: &Api, headers: &HeaderMap, who: Who) -> Result<Response, ApiError> {
    let ui = api.ui()?;
    let Secrets { cookie, key } = ui.sessions.begin(who.clone());
    let by = match who {
        Who::Caller(caller) => caller.to_string(),
        Who::User { id, .. } => format!("user:{id}"),
    };
    tracing::info!(by, "signed in at the operator's page");
    let lifetime = ui.sessions.lifetime();
    let set = cookie::set(&cookie::session_name(api), &cookie, lifetime, origin::is_over_tls(headers));
    let set = set.ok_or_else(ApiError::internal)?;
    let answer = ok(json!({ "state": "signed_in", "key": key, "seconds_left": lifetime.as_secs() }));
    Ok(([(header::SET_COOKIE, set)], answer).into_response())
}

/// Signs out. It is no error if nobody is signed in.
pub(super) async fn end(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    let ui = api.ui()?;
    if let Ok(session) = door::session(&api, ui, &headers).await {
        ui.sessions.end(&session);
        release(&api, &session).await;
    }
    let set = cookie::set(&cookie::session_name(&api), "", Duration::ZERO, origin::is_over_tls(&headers));
    Ok(([(header::SET_COOKIE, set.ok_or_else(ApiError::internal)?)], ok(json!({ "signed_in": false })))
        .into_response())
}

/// Ends the session that a sign-in with a wallet began: nobody has its tokens.
pub(super) async fn release(api: &Api, gone: &PageSession) {
    let Who::User { session, .. } = gone.who else { return };
    let Ok(sessions) = api.sessions() else { return };
    if let Err(error) = sessions.revoke_session(session, EndReason::Logout, gone.actor()).await {
        tracing::warn!(%error, "cannot end the session of somebody who left the operator's page");
    }
}
