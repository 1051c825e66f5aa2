//! The second view: finds a user, shows the sessions, ends them, disables the user.

use axum::extract::State;
use axum::response::Response;
use nostr_sdk::PublicKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ui;
use super::door::SignedIn;
use crate::api::Api;
use crate::http::body::{JsonBody, PathParam, QueryParam};
use crate::http::envelope::{ApiError, ok};
use crate::session::{EndReason, Session, User, UserChange, UserFilter, UserId};

/// The most users in one answer, and the most sessions of one user.
const MOST: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Find {
    #[serde(default)]
    q: String,
}

/// The users with this id, wallet (hex or npub) or role. Without a text: the first ones.
pub(super) async fn find(
    State(api): State<Api>,
    QueryParam(Find { q }): QueryParam<Find>,
) -> Result<Response, ApiError> {
    let sessions = api.sessions()?;
    let text = q.trim();
    if let Ok(id) = text.parse::<UserId>() {
        let found = sessions.user(id).await.ok();
        return Ok(listed(&found.into_iter().collect::<Vec<_>>(), false));
    }
    let wallet = PublicKey::parse(text).map_or_else(|_| text.to_owned(), |key| key.to_hex());
    let filters = match text {
        "" => vec![UserFilter::default()],
        _ => vec![
            UserFilter { wallet_id: Some(wallet), ..UserFilter::default() },
            UserFilter { role: Some(text.to_owned()), ..UserFilter::default() },
        ],
    };
    for filter in filters {
        let page = sessions.users(&filter, None, MOST).await?;
        if !page.users.is_empty() {
            return Ok(listed(&page.users, page.next.is_some()));
        }
    }
    Ok(listed(&[], false))
}

/// A user with its latest sessions.
pub(super) async fn show(
    State(api): State<Api>,
    PathParam(id): PathParam<String>,
) -> Result<Response, ApiError> {
    shown(&api, user_id(&id)?).await
}

/// Which session, by its name on the page. `null`: all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    session: Option<String>,
}

pub(super) async fn end_sessions(
    State(api): State<Api>,
    SignedIn(operator): SignedIn,
    PathParam(id): PathParam<String>,
    JsonBody(Which { session }): JsonBody<Which>,
) -> Result<Response, ApiError> {
    let (ui, sessions, id) = (api.ui()?, api.sessions()?, user_id(&id)?);
    match session {
        None => {
            sessions.revoke_sessions_of(id, operator.actor()).await?;
        }
        Some(handle) => {
            let (found, _) = sessions.sessions_of(id, None, MOST).await?;
            let session = found.iter().find(|one| ui.handles.of(one.id) == handle);
            let session = session.ok_or_else(ApiError::no_such_session)?;
            sessions.revoke_session(session.id, EndReason::Operator, operator.actor()).await?;
        }
    }
    shown(&api, id).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disabling {
    disabled: bool,
    /// The user as the operator saw it: a change in between is not overwritten unseen.
    revision: u64,
}

pub(super) async fn disable(
    State(api): State<Api>,
    SignedIn(operator): SignedIn,
    PathParam(id): PathParam<String>,
    JsonBody(Disabling { disabled, revision }): JsonBody<Disabling>,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
    api.sessions()?.change_user(id, Some(revision), change, operator.actor()).await?;
    shown(&api, id).await
}

async fn shown(api: &Api, id: UserId) -> Result<Response, ApiError> {
    let (ui, sessions) = (api.ui()?, api.sessions()?);
    let user = sessions.user(id).await?;
    let (found, next) = sessions.sessions_of(id, None, MOST).await?;
    let now = api.api_tokens.now();
    let found: Vec<_> = found.iter().map(|session| to_json(ui, session, session.expires_at <= now)).collect();
    Ok(ok(json!({ "user": seen(&user), "sessions": found, "more": next.is_some() })))
}

fn to_json(ui: &Ui, session: &Session, has_expired: bool) -> Value {
    let (ended_at, reason) = session.ended.clone().unzip();
    json!({
        "session": ui.handles.of(session.id),
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "ended_at": ended_at,
        "reason": reason,
        "open": ended_at.is_none() && !has_expired,
    })
}

fn listed(users: &[User], more: bool) -> Response {
    ok(json!({ "users": users.iter().map(seen).collect::<Vec<_>>(), "more": more }))
}

fn seen(user: &User) -> Value {
    json!({
        "id": user.id,
        "name": user.username,
        "email": user.email,
        "provider": user.provider,
        "wallet": user.wallet_id,
        "method": user.auth_method,
        "roles": user.roles,
        "permissions": user.permissions,
        "disabled": user.disabled,
        "revision": user.revision,
        "created_at": user.created_at,
        "last_login": (user.logins > 0).then_some(user.last_login),
        "logins": user.logins,
    })
}

fn user_id(text: &str) -> Result<UserId, ApiError> {
    text.parse().map_err(|_| ApiError::no_such_user())
}
