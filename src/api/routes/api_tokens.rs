//! API tokens with names: listed, made, revoked.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use secrecy::ExposeSecret;

use crate::api::Api;
use crate::api::caller::Caller;
use crate::api_tokens::{NewApiToken, StoredApiToken};
use crate::clock::Timestamp;
use crate::http::body::{JsonBody, PathParam};
use crate::http::envelope::{ApiError, created, ok};
use crate::rights::Rights;

/// A token that a caller asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Wanted {
    name: String,
    may: Vec<String>,
    /// In seconds. `None`: until it is revoked.
    expires_in: Option<u64>,
}

impl Wanted {
    fn read(self) -> Result<NewApiToken, ApiError> {
        let may = Rights::of_words(self.may.iter().map(String::as_str));
        let may = may.map_err(|reason| ApiError::bad_request(format!("may: {reason}")))?;
        Ok(NewApiToken { name: self.name, may, lifetime: self.expires_in.map(Duration::from_secs) })
    }
}

/// A token as operators see it: without its secret, which nobody has but its holder.
#[derive(Serialize)]
struct Shown<'a> {
    /// The public part of the token: the audit and the log name it behind the name.
    id: String,
    name: &'a str,
    may: Vec<&'static str>,
    created_by: &'a str,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    expired: bool,
}

impl<'a> Shown<'a> {
    fn of(token: &'a StoredApiToken, now: Timestamp) -> Self {
        Self {
            id: hex::encode(token.id),
            name: &token.name,
            may: token.rights.words(),
            created_by: &token.made_by,
            created_at: token.made_at,
            expires_at: token.expires_at,
            last_used_at: token.used_at,
            expired: token.expires_at.is_some_and(|at| now >= at),
        }
    }
}

pub(in crate::api) async fn list(State(api): State<Api>) -> Result<Response, ApiError> {
    let (listed, now) = (api.api_tokens.list().await?, api.api_tokens.now());
    let tokens: Vec<_> = listed.iter().map(|token| Shown::of(token, now)).collect();
    Ok(ok(json!({ "tokens": tokens })))
}

pub(in crate::api) async fn make(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<Response, ApiError> {
    let (made, text) = api.api_tokens.make(wanted.read()?, caller.maker()).await?;
    let shown = Shown::of(&made, made.made_at);
    Ok(created(json!({ "token": text.expose_secret(), "api_token": shown })))
}

pub(in crate::api) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    PathParam(name): PathParam<String>,
) -> Result<Response, ApiError> {
    api.api_tokens.revoke(name, caller.maker()).await?;
    Ok(ok(json!({ "revoked": true })))
}
