//! Tokens that are asked about or revoked alone: introspection (RFC 7662), revocation (RFC 7009), and the session
//! behind a wallet's token.

use std::sync::Arc;

use super::audit::Actor;
use super::check::{Examined, Offered};
use super::{Checked, Result, SessionError, Sessions};
use crate::access_token::Claims;
use crate::config::Checks;
use crate::store::StreamId;

impl Sessions {
    /// Whether the session behind a token of ours goes on: it is asked about alone, whatever a check asks for.
    pub async fn introspect(&self, token: &str) -> Result<Checked> {
        let offered = Offered { access_token: Some(token), ..Offered::default() };
        let checked = self.examine(offered, Checks::AccessToken).await.and_then(Examined::fresh);
        self.count("introspect", &checked, None);
        checked
    }

    /// Whose session a wallet's credential began here, if it goes on: it is asked about alone, whatever a check asks
    /// for. `at` names the question in the metrics.
    pub async fn of_credential(&self, at: &'static str, offered: Offered<'_>) -> Result<Checked> {
        let checked = self.examine(offered, Checks::Credential).await.and_then(Examined::fresh);
        self.count(at, &checked, offered.provider);
        checked
    }

    /// Ends the session of a token; whoever shows it may, even when it has run out. `false`: it had ended before.
    pub async fn revoke_token(self: &Arc<Self>, claims: &Claims, actor: Actor) -> Result<bool> {
        let id: Option<StreamId> = claims.sid.as_deref().and_then(|sid| sid.parse().ok());
        let Some(id) = id else { return Ok(false) };
        match self.revoke_session(id, "oauth", actor).await {
            Err(SessionError::NoSuchSession) => Ok(false),
            ended => ended,
        }
    }
}
