//! Tokens as OAuth 2.0 asks about them: introspection (RFC 7662) and revocation (RFC 7009).

use std::sync::Arc;

use super::audit::Actor;
use super::check::{Examined, Offered};
use super::{Checked, Result, SessionError, Sessions};
use crate::access::Claims;
use crate::config::Checks;
use crate::store::StreamId;

/// What is told of a token that is active.
#[derive(Debug, Clone)]
pub struct Introspection {
    /// What it says.
    pub claims: Arc<Claims>,
    /// Whose it is: a user's, with today's roles, or a service's.
    pub checked: Option<Checked>,
}

impl Sessions {
    /// Whether the session behind a token of ours goes on.
    pub async fn introspect(&self, token: &str) -> Result<Introspection> {
        let offered = Offered { access_token: Some(token), ..Offered::default() };
        let checked = self.examine(offered, Checks::AccessToken).await.and_then(Examined::fresh);
        self.note("introspect", checked.as_ref().err(), None, &Actor::daemon());
        let checked = checked?;
        let claims = checked.claims.clone().ok_or(SessionError::Signing)?;
        Ok(Introspection { claims, checked: Some(checked) })
    }

    /// Ends the session of a token; whoever shows it may, even when it has run out.
    pub async fn revoke_token(self: &Arc<Self>, claims: &Claims, actor: Actor) -> Result<()> {
        let id: Option<StreamId> = claims.sid.as_deref().and_then(|sid| sid.parse().ok());
        match id {
            Some(id) => match self.revoke_session(id, "oauth", actor).await {
                Ok(_) | Err(SessionError::NoSuchSession) => Ok(()),
                Err(error) => Err(error),
            },
            None => Ok(()),
        }
    }
}
