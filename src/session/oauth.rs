//! Tokens as OAuth 2.0 asks about them: introspection (RFC 7662) and revocation (RFC 7009).

use std::sync::Arc;

use super::audit::Actor;
use super::check::{Examined, Offered};
use super::{Checked, Result, SessionError, Sessions};
use crate::access::Claims;
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

    /// Ends the session of a token; whoever shows it may, even when it has run out.
    pub async fn revoke_token(self: &Arc<Self>, claims: &Claims, actor: Actor) -> Result<()> {
        let id: Option<StreamId> = claims.sid.as_deref().and_then(|sid| sid.parse().ok());
        let Some(id) = id else { return Ok(()) };
        match self.revoke_session(id, "oauth", actor).await {
            Ok(_) | Err(SessionError::NoSuchSession) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
