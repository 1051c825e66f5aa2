//! Tokens of thirdweb.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::api::Api;
use crate::api::envelope::ApiError;
use crate::ethereum::Address;
use crate::wallet::thirdweb::Thirdweb;

/// For whom a token is to be issued: for a wallet, or for the one of a token that it is to follow.
#[derive(Deserialize)]
pub(super) struct NewToken {
    address: Option<String>,
    token: Option<String>,
    /// Whatever the app wants to find in it.
    ctx: Option<Value>,
}

impl Api {
    /// What knows thirdweb's tokens, if they are in use here.
    fn thirdweb(&self) -> Result<&Arc<Thirdweb>, ApiError> {
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
        let thirdweb = self.thirdweb()?;
        let context = new.ctx.as_ref();
        let issued = match (&new.address, &new.token) {
            (Some(owner), None) => thirdweb.issue(address(owner)?, lifetime, context)?,
            (None, Some(token)) => thirdweb.refresh(token, lifetime, context)?,
            _ => return Err(ApiError::bad_request("address, token: give one of them")),
        };
        Ok(issued)
    }
}

fn address(text: &str) -> Result<Address, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request(format!("address: {error}")))
}
