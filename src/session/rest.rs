//! Sessions, for the callers that only ask about a token or revoke one: introspection (RFC 7662), revocation (RFC
//! 7009), and the session behind a wallet's token.

use std::sync::Arc;

use async_trait::async_trait;

use super::check::{Examined, Offered};
use super::{Checked, EndReason, Result, SessionError, Sessions};
use crate::access_token::Claims;
use crate::actor::Actor;
use crate::config::Checks;
use crate::store::{StreamId, User};
use crate::tokens::{self, RestsOnTokens, TokenName, TokensError};
use crate::wallet::portal::NAME as PORTAL;

impl Sessions {
    /// The user and the open session that a wallet's credential began here. `sessions.checks` does not apply. `at`
    /// names the question in the metrics.
    pub async fn of_credential(&self, at: &'static str, offered: Offered<'_>) -> Result<Checked> {
        let checked = self.examine(offered, Checks::Credential).await.and_then(Examined::fresh);
        self.count(at, &checked, offered.provider);
        checked
    }
}

/// A handle for changes, which run to their end.
#[derive(Debug)]
pub struct Resting(pub Arc<Sessions>);

#[async_trait]
impl RestsOnTokens for Resting {
    /// This asks about the access token alone; `sessions.checks` does not apply.
    async fn user_behind(&self, access_token: &str) -> tokens::Result<Option<Arc<User>>> {
        let offered = Offered { access_token: Some(access_token), ..Offered::default() };
        let checked = self.0.examine(offered, Checks::AccessToken).await.and_then(Examined::fresh);
        self.0.count("introspect", &checked, None);
        match checked {
            Ok(checked) => Ok(Some(checked.user)),
            Err(SessionError::Refused(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn keeps_out(&self, wallet_id: &str) -> tokens::Result<bool> {
        Ok(self.0.is_kept_out(PORTAL, wallet_id).await?)
    }

    /// A caller that shows a token may end its session.
    async fn end_session(&self, claims: &Claims, actor: &Actor) -> tokens::Result<bool> {
        let id: Option<StreamId> = claims.sid.as_deref().and_then(|sid| sid.parse().ok());
        let Some(id) = id else { return Ok(false) };
        match self.0.revoke_session(id, EndReason::Oauth, actor.clone()).await {
            Err(SessionError::NoSuchSession) => Ok(false),
            ended => Ok(ended?),
        }
    }

    async fn end_resting_on(&self, name: &TokenName, actor: &Actor) -> tokens::Result<()> {
        self.0.credential_revoked(*name, actor).await?;
        Ok(())
    }
}

impl From<SessionError> for TokensError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Store(error) => Self::Store(error),
            SessionError::Stopping => Self::Stopping,
            other => Self::Defect(other.to_string()),
        }
    }
}
