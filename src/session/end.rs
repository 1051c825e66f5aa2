//! Ends sessions, for users and operators.

use std::sync::Arc;

use super::check::Offered;
use super::{EndReason, Reason, Result, SessionError, Sessions};
use crate::actor::Actor;
use crate::store::{AuditKind, SessionChoice, StreamId, User, UserId};

impl Sessions {
    /// Ends the session that the caller shows, or all sessions of its user. The access token may have expired. If
    /// there is no access token, the credential must be valid; otherwise it is ignored. Returns how many sessions
    /// ended.
    pub async fn logout(self: &Arc<Self>, offered: Offered<'_>, all: bool, actor: Actor) -> Result<usize> {
        let (user, session) = match self.shown(offered).await {
            // It has gone with its user, or long ago.
            Err(SessionError::Refused(Reason::SessionRevoked | Reason::NoSession)) => return Ok(0),
            shown => shown?,
        };
        let (which, reason) = if all {
            (SessionChoice::AllOf(user.id), EndReason::LogoutAll)
        } else {
            (SessionChoice::One(session), EndReason::Logout)
        };
        self.end(user, which, reason, actor).await
    }

    /// Ends one session for an operator. Returns `false` if it had ended before.
    pub async fn revoke_session(
        self: &Arc<Self>,
        id: StreamId,
        reason: EndReason,
        actor: Actor,
    ) -> Result<bool> {
        let session = self.book.session(id).await?.ok_or(SessionError::NoSuchSession)?;
        let user = self.book.user(session.user).await?.ok_or(SessionError::NoSuchSession)?;
        Ok(self.end(user, SessionChoice::One(id), reason, actor).await? > 0)
    }

    /// Ends the sessions that depend on a revoked credential. Returns how many.
    pub async fn credential_revoked(self: &Arc<Self>, credential: [u8; 32], actor: &Actor) -> Result<usize> {
        let Some(session) = self.book.accounts.session_of_credential(&credential).await? else {
            return Ok(0);
        };
        let Some(user) = self.book.user(session.user).await? else { return Ok(0) };
        self.end(user, SessionChoice::RestingOn(credential), EndReason::CredentialRevoked, actor.clone())
            .await
    }

    /// Ends all sessions of a user for an operator. Returns how many.
    pub async fn revoke_sessions_of(self: &Arc<Self>, id: UserId, actor: Actor) -> Result<usize> {
        let user = self.book.user(id).await?.ok_or(SessionError::NoSuchUser)?;
        self.end(user, SessionChoice::AllOf(id), EndReason::Operator, actor).await
    }

    async fn shown(&self, offered: Offered<'_>) -> Result<(Arc<User>, StreamId)> {
        let now = self.book.clock.now();
        let (claims, wallet) = match (offered.access_token, offered.credential) {
            (Some(token), _) => (Some(self.book.read_token(token, now)?.0), None),
            (None, Some(credential)) => (None, Some(self.identify(offered.provider, &credential).await?)),
            (None, None) => {
                let message = "access_token, credential: one of them is required";
                return Err(SessionError::BadRequest(message.into()));
            }
        };
        let (user, session) = self.session_of(claims.as_deref(), wallet.as_ref()).await?;
        Ok((user, session.id))
    }

    async fn end(
        self: &Arc<Self>,
        user: Arc<User>,
        which: SessionChoice,
        reason: EndReason,
        actor: Actor,
    ) -> Result<usize> {
        let sessions = Arc::clone(self);
        self.to_the_end(async move {
            let book = &sessions.book;
            let now = book.clock.now();
            let audit = actor.about(AuditKind::SessionsRevoked, &user, now);
            let ended =
                book.accounts.end_sessions(which, &book.end_event(reason, user.id, now)?, &audit).await?;
            book.announce_end(user.id, reason, &ended);
            Ok(ended.len())
        })
        .await
    }
}
