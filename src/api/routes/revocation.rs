//! Tokens are revoked: one way for all that is issued here, whatever its format.

use axum::http::StatusCode;

use crate::access_token::{AccessError, Claims};
use crate::api::Api;
use crate::api::envelope::ApiError;
use crate::clock::Timestamp;
use crate::session::Actor;
use crate::wallet::thirdweb::{Refusal, Verified};

/// Revokes a token, and ends the sessions that rest on it. `false`: it was revoked before.
///
/// # Errors
/// 400 with the reason where there is nothing to revoke.
pub(super) async fn revoke_token(api: &Api, token: &str, actor: &Actor) -> Result<bool, ApiError> {
    if let Ok(claims) = api.mint.read(token) {
        return access_token(api, &claims, actor).await;
    }
    let thirdweb = api.thirdweb.as_ref().and_then(|thirdweb| thirdweb.tokens.read(token));
    match thirdweb {
        Some(verified) => thirdwebs(api, &verified.map_err(refused)?, actor).await,
        None => portals(api, token, actor).await,
    }
}

/// A JWT from service to service; or the token of a session, which ends with it even when it has run out.
async fn access_token(api: &Api, claims: &Claims, actor: &Actor) -> Result<bool, ApiError> {
    if claims.sid.is_some() {
        // Where sessions are off, it is worth nothing.
        let Some(sessions) = &api.sessions else { return Ok(false) };
        return Ok(sessions.revoke_token(claims, actor.clone()).await?);
    }
    if let Err(error @ AccessError::TokenExpired) = api.mint.check_times(claims) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, error.code(), error.to_string()));
    }
    Ok(api.portal.revoke_named(api.mint.name_of(claims), Timestamp::from_secs(claims.exp)).await?)
}

async fn thirdwebs(api: &Api, token: &Verified, actor: &Actor) -> Result<bool, ApiError> {
    let fresh = api.portal.revoke_named(token.id, Timestamp::from_secs(token.expires_at)).await?;
    end_sessions(api, &[token.id], actor).await?;
    Ok(fresh)
}

/// A wallet's token, or one of this service's in the same form.
async fn portals(api: &Api, token: &str, actor: &Actor) -> Result<bool, ApiError> {
    let revoked = api.portal.revoke(token).await.map_err(|error| ApiError::from(error).about(token))?;
    end_sessions(api, &revoked.names, actor).await?;
    Ok(revoked.fresh)
}

async fn end_sessions(api: &Api, credentials: &[[u8; 32]], actor: &Actor) -> Result<(), ApiError> {
    let Some(sessions) = &api.sessions else { return Ok(()) };
    for name in credentials {
        sessions.credential_revoked(*name, actor).await?;
    }
    Ok(())
}

fn refused(refusal: Refusal) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, refusal.code(), refusal.to_string())
}
