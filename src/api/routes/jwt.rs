//! Tokens: issued, verified, revoked.

use std::fmt::Display;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio_util::task::AbortOnDropHandle;

use super::questions::{self, MAX_QUESTIONS, MAX_QUESTIONS_BODY, Question, Questions};
use crate::api::Api;
use crate::api::body::{JsonBody, TextBody, public_key};
use crate::api::envelope::{Answer, ApiError, ok};
use crate::auth::VerifiedToken;
use crate::metrics::Limit;

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
    let token = api.auth.issue(target, lifetime)?;
    api.metrics.api.tokens_issued.inc();
    Ok(token)
}

pub(in crate::api) async fn verify(
    State(api): State<Api>,
    TextBody(text): TextBody<MAX_QUESTIONS_BODY>,
) -> Result<Response, ApiError> {
    match questions::parse(&text)? {
        Questions::One(question) => Ok(ok(verify_token(&api, &question).await?)),
        Questions::TooMany => {
            let message = format!("body: at most {MAX_QUESTIONS} questions at once");
            Err(ApiError::bad_request(message).because_of(Limit::BatchSize))
        }
        Questions::Many(questions) => Ok(ok(verify_tokens(&api, questions).await?)),
    }
}

/// Answers many questions, in their order, on every core: reading, verifying and writing alike.
async fn verify_tokens(api: &Api, questions: Vec<Box<RawValue>>) -> Result<Vec<Box<RawValue>>, ApiError> {
    /// A task is the work of one core for about half a millisecond, so that other requests get their turn.
    const QUESTIONS_PER_TASK: usize = 16;

    let mut questions = questions.into_iter().peekable();
    let mut tasks = Vec::new();
    while questions.peek().is_some() {
        let (api, some) = (api.clone(), questions.by_ref().take(QUESTIONS_PER_TASK).collect::<Vec<_>>());
        // Should the caller hang up, nobody wants to know any more.
        tasks.push(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut answers = Vec::with_capacity(some.len());
            for question in some {
                answers.push(to_raw_value(&Answer::from(answer(&api, &question).await)));
            }
            answers
        })));
    }
    let answers = futures_util::future::try_join_all(tasks).await.map_err(defect)?;
    answers.into_iter().flatten().collect::<Result<_, _>>().map_err(defect)
}

fn defect(error: impl Display) -> ApiError {
    tracing::error!(%error, "a verification ended early");
    ApiError::internal()
}

async fn answer(api: &Api, question: &RawValue) -> Result<VerifiedToken, ApiError> {
    verify_token(api, &questions::read(question)?).await
}

/// Verifies a token; the same over HTTP and WebSocket.
pub(in crate::api) async fn verify_token(api: &Api, question: &Question) -> Result<VerifiedToken, ApiError> {
    let pubkey = public_key("pubkey", &question.pubkey)?;
    let verified = api.auth.verify(pubkey, &question.token).await.map_err(ApiError::from);
    api.metrics.api.verified(verified.as_ref().map_or_else(|error| error.code, |_| "ok"));
    verified
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
