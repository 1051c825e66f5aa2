//! Users, for operators.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::page;
use crate::api::Api;
use crate::api::caller::Asker;
use crate::clock::Timestamp;
use crate::events::Member;
use crate::http::body::{JsonBody, PathParam, QueryParam, unless_empty};
use crate::http::conditions::{Conditions, Verdict};
use crate::http::envelope::{ApiError, ok};
use crate::session::{Invitation, Session, SessionError, Sessions, User, UserChange, UserFilter, UserId};

/// A user, for operators.
#[derive(Serialize)]
struct Seen {
    #[serde(flatten)]
    member: Member,
    disabled: bool,
    created_at: Timestamp,
    /// `null` before the first login.
    last_login: Option<Timestamp>,
    logins: u64,
}

impl From<&User> for Seen {
    fn from(user: &User) -> Self {
        Self {
            member: Member::from(user),
            disabled: user.disabled,
            created_at: user.created_at,
            last_login: (user.logins > 0).then_some(user.last_login),
            logins: user.logins,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Listing {
    #[serde(default, deserialize_with = "unless_empty")]
    cursor: Option<String>,
    #[serde(default, deserialize_with = "unless_empty")]
    limit: Option<usize>,
    provider: Option<String>,
    wallet_id: Option<String>,
    role: Option<String>,
    disabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Page {
    #[serde(default, deserialize_with = "unless_empty")]
    cursor: Option<String>,
    #[serde(default, deserialize_with = "unless_empty")]
    limit: Option<usize>,
}

pub(in crate::api) async fn list(
    State(api): State<Api>,
    QueryParam(listing): QueryParam<Listing>,
) -> Result<Response, ApiError> {
    let Listing { cursor, limit, provider, wallet_id, role, disabled } = listing;
    let filter = UserFilter { provider, wallet_id, role, disabled };
    let after = page::cursor::<UserId>(cursor.as_deref())?;
    let found = api.sessions()?.users(&filter, after, page::limit(limit)?).await?;
    let users: Vec<_> = found.users.iter().map(Seen::from).collect();
    Ok(ok(json!({ "users": users, "next_cursor": found.next })))
}

pub(in crate::api) async fn invite(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(invitation): JsonBody<Invitation>,
) -> Result<Response, ApiError> {
    let user = api.sessions()?.invite(invitation, actor).await?;
    let mut response = tagged(&user);
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(place) = HeaderValue::from_str(&format!("/users/{}", user.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

pub(in crate::api) async fn show(
    State(api): State<Api>,
    PathParam(id): PathParam<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = api.sessions()?.user(user_id(&id)?).await?;
    match Conditions::of(&headers)?.judge(&user.revision.to_string(), true) {
        Verdict::Holds => Ok(tagged(&user)),
        Verdict::NotModified => Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag(&user))]).into_response()),
        Verdict::Failed => Err(SessionError::Changed.into()),
    }
}

pub(in crate::api) async fn change(
    State(api): State<Api>,
    Asker(actor): Asker,
    PathParam(id): PathParam<String>,
    headers: HeaderMap,
    JsonBody(change): JsonBody<UserChange>,
) -> Result<Response, ApiError> {
    let (sessions, id) = (api.sessions()?, user_id(&id)?);
    let revision = expected_revision(sessions, id, &headers).await?;
    Ok(tagged(&sessions.change_user(id, revision, change, actor).await?))
}

pub(in crate::api) async fn delete(
    State(api): State<Api>,
    Asker(actor): Asker,
    PathParam(id): PathParam<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (sessions, id) = (api.sessions()?, user_id(&id)?);
    let revision = expected_revision(sessions, id, &headers).await?;
    let revoked = sessions.delete_user(id, revision, actor).await?;
    Ok(ok(json!({ "deleted": true, "revoked": revoked })))
}

pub(in crate::api) async fn sessions(
    State(api): State<Api>,
    PathParam(id): PathParam<String>,
    QueryParam(Page { cursor, limit }): QueryParam<Page>,
) -> Result<Response, ApiError> {
    let before = page::cursor(cursor.as_deref())?;
    let (found, next) = api.sessions()?.sessions_of(user_id(&id)?, before, page::limit(limit)?).await?;
    let to_json = |session: &Session| {
        let (ended_at, reason) = session.ended.clone().unzip();
        json!({
            "id": session.id,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
            "revoked_at": ended_at,
            "reason": reason,
        })
    };
    let sessions: Vec<_> = found.iter().map(to_json).collect();
    Ok(ok(json!({ "sessions": sessions, "next_cursor": next })))
}

pub(in crate::api) async fn revoke_sessions(
    State(api): State<Api>,
    Asker(actor): Asker,
    PathParam(id): PathParam<String>,
) -> Result<Response, ApiError> {
    let revoked = api.sessions()?.revoke_sessions_of(user_id(&id)?, actor).await?;
    Ok(ok(json!({ "revoked": revoked })))
}

fn user_id(text: &str) -> Result<UserId, ApiError> {
    text.parse().map_err(|_| ApiError::no_such_user())
}

/// A user with its revision as `ETag`, which a change can name (RFC 9110 §8.8.3).
fn tagged(user: &User) -> Response {
    ([(header::ETAG, tag(user))], ok(json!({ "user": Seen::from(user) }))).into_response()
}

fn tag(user: &User) -> String {
    format!("\"{}\"", user.revision)
}

/// The revision that a change applies to, if the request has conditions. If the user changes in between, they fail
/// too.
async fn expected_revision(
    sessions: &Sessions,
    id: UserId,
    headers: &HeaderMap,
) -> Result<Option<u64>, ApiError> {
    let conditions = Conditions::of(headers)?;
    if conditions.are_none() {
        return Ok(None);
    }
    let user = sessions.user(id).await?;
    match conditions.judge(&user.revision.to_string(), false) {
        Verdict::Holds => Ok(Some(user.revision)),
        Verdict::Failed | Verdict::NotModified => Err(SessionError::Changed.into()),
    }
}
