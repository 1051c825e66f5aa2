//! Tokens: issued, verified, revoked.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::api::Api;
use crate::api::body::{JsonBody, public_key};
use crate::api::envelope::{ApiError, ok};
use crate::auth::VerifiedToken;

/// For whom a token is to be issued, and for how long.
#[derive(Deserialize)]
pub(in crate::api) struct NewToken {
    target_key: String,
    duration_hours: i64,
}

pub(in crate::api) async fn issue(
    State(api): State<Api>,
    JsonBody(new): JsonBody<NewToken>,
) -> Result<Response, ApiError> {
    Ok(ok(json!({ "token": issue_token(&api, &new)? })))
}

/// Issues a token; the same over HTTP and WebSocket.
pub(in crate::api) fn issue_token(api: &Api, new: &NewToken) -> Result<String, ApiError> {
    let target = public_key("target_key", &new.target_key)?;
    // Zero and what does not fit are refused by the service, which knows the limit.
    let hours = u64::try_from(new.duration_hours).unwrap_or(0);
    let lifetime = Duration::from_secs(hours.saturating_mul(3600));
    Ok(api.auth.issue(target, lifetime)?)
}

/// A token, and about whom it is asked.
#[derive(Deserialize)]
pub(in crate::api) struct Question {
    #[serde(alias = "public_key")]
    pubkey: String,
    token: String,
}

pub(in crate::api) async fn verify(
    State(api): State<Api>,
    JsonBody(question): JsonBody<Question>,
) -> Result<Response, ApiError> {
    Ok(ok(verify_token(&api, &question).await?))
}

/// Verifies a token; the same over HTTP and WebSocket.
pub(in crate::api) async fn verify_token(api: &Api, question: &Question) -> Result<VerifiedToken, ApiError> {
    let pubkey = public_key("pubkey", &question.pubkey)?;
    Ok(api.auth.verify(pubkey, &question.token).await?)
}

#[derive(Deserialize)]
pub(in crate::api) struct Revoked {
    token: String,
}

pub(in crate::api) async fn revoke(
    State(api): State<Api>,
    JsonBody(revoked): JsonBody<Revoked>,
) -> Result<Response, ApiError> {
    let fresh = api.auth.revoke(&revoked.token).await?;
    Ok(ok(json!({ "revoked": true, "already_revoked": !fresh })))
}
