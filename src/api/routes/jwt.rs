//! Issues, verifies and revokes tokens.

use std::fmt::Display;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use nostr_sdk::PublicKey;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

use super::questions::{self, MAX_QUESTIONS, MAX_QUESTIONS_BODY, Question, Questions};
use crate::api::Api;
use crate::api::caller::Asker;
use crate::api::public_key::public_key;
use crate::events::{Member, OpenSession};
use crate::http::body::{JsonBody, TextBody};
use crate::http::envelope::{Answer, ApiError, ok};
use crate::metrics::Limit;
use crate::session::{Actor, Offered};
use crate::tokens::{NewOtherToken, NewServiceToken, NewToken, VerifiedToken};
use crate::wallet::Credential;
use crate::wallet::portal::NAME as PORTAL;

/// The subject and the lifetime of a new token.
#[derive(Deserialize)]
pub(in crate::api) struct Wanted {
    target_key: Option<String>,
    duration_hours: Option<i64>,
    #[serde(default)]
    format: Format,
    audience: Option<String>,
    scope: Option<String>,
    /// For another provider's token: the wallet, or the token that the new one replaces, and additional data of the app.
    address: Option<String>,
    token: Option<String>,
    ctx: Option<Value>,
}

/// The format of a token.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// As wallets make them: ES256K with the service's own key.
    #[default]
    Portal,
    /// A standard JWT (RFC 9068), which any JOSE library verifies with `/.well-known/jwks.json`.
    Jwt,
    /// As the server of another provider makes them; only thirdweb's can be made here, with the key of an admin wallet.
    #[serde(rename = "thirdweb")]
    Other,
}

pub(in crate::api) async fn issue(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(new): JsonBody<Wanted>,
) -> Result<Response, ApiError> {
    Ok(ok(json!({ "token": issue_token(&api, &new, &actor)? })))
}

/// Issues a token; the same over HTTP and WebSocket.
pub(in crate::api) fn issue_token(api: &Api, new: &Wanted, actor: &Actor) -> Result<String, ApiError> {
    if new.format != Format::Jwt && (new.audience.is_some() || new.scope.is_some()) {
        return Err(ApiError::bad_request("audience, scope: allowed only with \"format\": \"jwt\""));
    }
    let token = match new.format {
        Format::Portal => NewToken::Portal { target: new.target()?, lifetime: new.lifetime()? },
        Format::Jwt => NewToken::Service(NewServiceToken {
            target_key: new.target()?.to_hex(),
            audience: new.audience.clone(),
            scope: new.scope.clone(),
            lifetime: new.lifetime()?,
        }),
        Format::Other => NewToken::Other(NewOtherToken {
            address: new.address.as_deref(),
            token: new.token.as_deref(),
            lifetime: new.duration_hours.map(hours),
            context: new.ctx.as_ref(),
        }),
    };
    let followed = new.token.as_deref().unwrap_or_default();
    let token = api.tokens.issue(token, actor).map_err(|error| ApiError::from(error).about(followed))?;
    api.metrics.api.tokens_issued.inc();
    Ok(token)
}

impl Wanted {
    fn target(&self) -> Result<PublicKey, ApiError> {
        let target = self.target_key.as_ref().ok_or_else(|| ApiError::bad_request("target_key: missing"))?;
        public_key("target_key", target)
    }

    fn lifetime(&self) -> Result<Duration, ApiError> {
        self.duration_hours.map(hours).ok_or_else(|| ApiError::bad_request("duration_hours: missing"))
    }
}

/// The service refuses zero and numbers that are too large, because it knows the limit.
fn hours(hours: i64) -> Duration {
    Duration::from_secs(u64::try_from(hours).unwrap_or(0).saturating_mul(3600))
}

pub(in crate::api) async fn verify(
    State(api): State<Api>,
    TextBody(text): TextBody<MAX_QUESTIONS_BODY>,
) -> Result<Response, ApiError> {
    match questions::parse(&text)? {
        Questions::One(question) => Ok(ok(verify_token(&api, &question).await?)),
        Questions::TooMany => {
            let message = format!("body: must have at most {MAX_QUESTIONS} questions");
            Err(ApiError::bad_request(message).because_of(Limit::BatchSize))
        }
        Questions::Many(questions) => Ok(ok(verify_tokens(&api, questions).await?)),
    }
}

/// Answers many questions, in their order, on every core: reading, verifying and writing.
async fn verify_tokens(api: &Api, questions: Vec<Box<RawValue>>) -> Result<Vec<Box<RawValue>>, ApiError> {
    /// A task is about half a millisecond of work, so that other requests get their turn.
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

async fn answer(api: &Api, question: &RawValue) -> Result<Verified, ApiError> {
    verify_token(api, &questions::read(question)?).await
}

/// A valid token, and the session that it began here.
#[derive(Serialize)]
pub(in crate::api) struct Verified {
    #[serde(flatten)]
    token: VerifiedToken,
    #[serde(flatten)]
    login: Option<Login>,
}

/// The open session that a wallet's token began.
#[derive(Serialize)]
struct Login {
    user: Member,
    session: OpenSession,
}

/// Verifies a token; the same over HTTP and WebSocket.
pub(in crate::api) async fn verify_token(api: &Api, question: &Question) -> Result<Verified, ApiError> {
    let pubkey = public_key("pubkey", &question.pubkey)?;
    let verified = verify_both(api, pubkey, question).await;
    api.metrics.api.verified(verified.as_ref().map_or_else(|error| error.code, |_| "ok"));
    verified
}

/// The token, and the session behind it if the caller asks for it.
async fn verify_both(api: &Api, pubkey: PublicKey, question: &Question) -> Result<Verified, ApiError> {
    if question.session {
        api.sessions()?;
    }
    let token = api.tokens.portal().verify(pubkey, &question.token).await;
    let token = token.map_err(|error| ApiError::from(error).about_login_token(&question.token))?;
    let login = if question.session { Some(login_of(api, &question.token).await?) } else { None };
    Ok(Verified { token, login })
}

async fn login_of(api: &Api, token: &str) -> Result<Login, ApiError> {
    let credential = Some(Credential::alone(token));
    let offered = Offered { credential, provider: Some(PORTAL), ..Offered::default() };
    let checked = api.sessions()?.of_credential("jwt_verify", offered).await?;
    Ok(Login { user: Member::from(&*checked.user), session: OpenSession::from(&*checked.session) })
}

#[derive(Deserialize)]
pub(in crate::api) struct Revoked {
    token: String,
}

pub(in crate::api) async fn revoke(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(revoked): JsonBody<Revoked>,
) -> Result<Response, ApiError> {
    let fresh = api.tokens.revoke(&revoked.token, &actor).await;
    let fresh = fresh.map_err(|error| ApiError::from(error).about(&revoked.token))?;
    Ok(ok(json!({ "revoked": true, "already_revoked": !fresh })))
}
