//! thirdweb: users sign in with their wallet, and tokens are issued.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Api;
use crate::api::body::{Asker, JsonBody};
use crate::api::envelope::{ApiError, created, ok};
use crate::ethereum::Address;
use crate::wallet::Credential;
use crate::wallet::thirdweb::{NAME, Payload, SignIn};

/// Who wants to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewPayload {
    address: String,
    chain_id: Option<Chain>,
}

/// A number, or as thirdweb writes it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "chain_id: must be a number")]
enum Chain {
    Number(u64),
    Text(String),
}

/// What has been signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Signed {
    payload: Payload,
    signature: String,
}

/// For whom a token is to be issued: for a wallet, or for the one of a token that it is to follow.
#[derive(Deserialize)]
pub(super) struct NewToken {
    address: Option<String>,
    token: Option<String>,
    /// Whatever the app wants to find in it.
    ctx: Option<Value>,
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
    /// What knows thirdweb's tokens, if they are in use here.
    pub(in crate::api) fn thirdweb(&self) -> Result<&Arc<SignIn>, ApiError> {
        self.thirdweb.as_ref().ok_or_else(|| {
            let message = "thirdweb is off: a section [wallets.thirdweb] switches it on";
            ApiError::new(StatusCode::NOT_FOUND, "thirdweb_off", message)
        })
    }

    pub(super) fn issue_thirdweb(
        &self,
        new: &NewToken,
        lifetime: Option<Duration>,
    ) -> Result<String, ApiError> {
        let tokens = &self.thirdweb()?.tokens;
        let context = new.ctx.as_ref();
        let issued = match (&new.address, &new.token) {
            (Some(owner), None) => tokens.issue(address(owner)?, lifetime, context)?,
            (None, Some(token)) => tokens
                .refresh(token, lifetime, context)
                .map_err(|error| ApiError::from(error).about(token))?,
            _ => return Err(ApiError::bad_request("address, token: give one of them")),
        };
        Ok(issued)
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
