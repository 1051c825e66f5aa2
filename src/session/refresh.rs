//! A new access token in an open session.

use std::sync::Arc;

use super::check::{Examined, Offered};
use super::{Reason, Result, SessionError, Sessions};
use crate::actor::Actor;
use crate::config::Checks;
use crate::events::LoggedIn;
use crate::store::{AuditKind, Session};
use crate::wallet::Credential;

impl Sessions {
    /// A new token for the owner of this credential, with the current roles. The session is the one in the old token,
    /// or else the one that the credential began. The old token may have expired.
    pub async fn refresh(
        self: &Arc<Self>,
        access_token: Option<&str>,
        credential: Credential<'_>,
        provider: Option<&str>,
        actor: &Actor,
    ) -> Result<LoggedIn> {
        let renewed = self.renew(access_token, credential, provider).await;
        match &renewed {
            Err(SessionError::Refused(reason)) => {
                let kind = match reason {
                    Reason::SessionMismatch(_) => AuditKind::SessionMismatch,
                    _ => AuditKind::RefreshRefused,
                };
                self.refused("refresh", kind, reason, provider, actor);
            }
            Err(_) => {}
            Ok(renewed) => self.book.metrics.sessions.passed("refresh", &renewed.user.provider),
        }
        renewed
    }

    async fn renew(
        self: &Arc<Self>,
        access_token: Option<&str>,
        credential: Credential<'_>,
        provider: Option<&str>,
    ) -> Result<LoggedIn> {
        let offered = Offered { access_token, credential: Some(credential), provider };
        let Examined { checked, .. } = self.examine(offered, Checks::Credential).await?;
        let wallet = checked.wallet.ok_or(Reason::NoCredential)?;
        let now = self.book.clock.now();
        self.rates.refresh(&wallet, now).await?;
        let mut session = Session::clone(&checked.session);
        if session.credential != wallet.credential {
            // The wallet has given a new credential: the session lasts as long as the longer one is valid.
            session.credential = wallet.credential;
            session.expires_at = session.expires_at.max(self.book.expiry_of(session.created_at, &wallet));
            let (sessions, carried_on) = (Arc::clone(self), session.clone());
            let goes_on = self
                .to_the_end(async move {
                    let Session { id, credential, expires_at, .. } = &carried_on;
                    Ok(sessions.book.accounts.carry_on_session(*id, credential, *expires_at).await?)
                })
                .await?;
            if !goes_on {
                return Err(Reason::SessionRevoked.into());
            }
        }
        self.book.logged_in(&checked.user, &session, &wallet, now)
    }
}
