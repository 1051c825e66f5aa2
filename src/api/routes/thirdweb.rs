//! Sign-ins with an Ethereum wallet, and thirdweb's tokens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::api::Api;
use crate::api::caller::Asker;
use crate::ethereum::Address;
use crate::http::body::JsonBody;
use crate::http::envelope::{ApiError, created, ok};
use crate::metrics::Limit;
use crate::tokens::TokensError;
use crate::wallet::Credential;
use crate::wallet::thirdweb::{NAME, Payload, SignIn, SignInError};

/// The account that wants to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewPayload {
    address: String,
    chain_id: Option<Chain>,
}

/// A number, or the text that thirdweb sends.
#[derive(Deserialize)]
#[serde(untagged, expecting = "chain_id: must be a number")]
enum Chain {
    Number(u64),
    Text(String),
}

/// The signed payload.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Signed {
    payload: Payload,
    signature: String,
}

pub(in crate::api) async fn payload(
    State(api): State<Api>,
    JsonBody(new): JsonBody<NewPayload>,
) -> Result<Response, ApiError> {
    let chain_id = new.chain_id.map(Chain::number).transpose()?;
    let payload = api.thirdweb()?.offer(address(&new.address)?, chain_id).await?;
    let message = payload.message();
    Ok(created(json!({ "payload": payload, "message": message })))
}

pub(in crate::api) async fn login(
    State(api): State<Api>,
    Asker(actor): Asker,
    JsonBody(Signed { payload, signature }): JsonBody<Signed>,
) -> Result<Response, ApiError> {
    let token = api.thirdweb()?.complete(&payload, &signature).await?;
    api.metrics.api.tokens_issued.inc();
    let Some(sessions) = &api.sessions else { return Ok(ok(json!({ "token": token }))) };
    let login = sessions.login(Some(NAME), Credential::alone(&token), actor).await?;
    Ok(ok(json!({ "token": token, "login": login })))
}

impl Api {
    /// The issuer of thirdweb's tokens, if thirdweb is on.
    pub(in crate::api) fn thirdweb(&self) -> Result<&Arc<SignIn>, ApiError> {
        self.thirdweb.as_ref().ok_or_else(|| TokensError::others_are_off().into())
    }
}

impl Chain {
    fn number(self) -> Result<u64, ApiError> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => {
                text.parse().map_err(|_| ApiError::bad_request("chain_id: must be a number in decimal"))
            }
        }
    }
}

fn address(text: &str) -> Result<Address, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request(format!("address: {error}")))
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Chain => Self::bad_request(error.to_string()),
            SignInError::Refused(refusal) => {
                Self::new(StatusCode::UNAUTHORIZED, refusal.code(), refusal.to_string())
            }
            SignInError::TooMany { retry_after } => {
                Self::limit_reached(Limit::OpenPayloads, error.to_string(), Some(retry_after))
            }
            SignInError::Issue(error) => TokensError::from(error).into(),
            SignInError::Store(error) => error.into(),
        }
    }
}
