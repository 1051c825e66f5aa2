//! Begins a session with a wallet's credential.

use std::sync::Arc;

use super::book::until_undisturbed;
use super::{Result, SessionError, Sessions};
use crate::actor::Actor;
use crate::events::LoggedIn;
use crate::store::AuditKind;
use crate::wallet::Credential;

impl Sessions {
    /// Begins a session for the owner of this credential.
    pub async fn login(
        self: &Arc<Self>,
        provider: Option<&str>,
        credential: Credential<'_>,
        actor: Actor,
    ) -> Result<LoggedIn> {
        let begun = self.begin(provider, credential, &actor).await;
        if let Err(SessionError::Refused(reason)) = &begun {
            self.refused("login", AuditKind::LoginRefused, reason, provider, &actor);
        }
        begun
    }

    async fn begin(
        self: &Arc<Self>,
        provider: Option<&str>,
        credential: Credential<'_>,
        actor: &Actor,
    ) -> Result<LoggedIn> {
        let wallet = self.identify(provider, &credential).await?;
        self.rates.log_in(&wallet, self.book.clock.now()).await?;
        let (sessions, actor) = (Arc::clone(self), actor.clone());
        self.to_the_end(async move {
            until_undisturbed(async || {
                let prepared = sessions.book.prepare(&wallet, &actor).await?;
                let begun = sessions.book.accounts.begin_session(&prepared.new).await?;
                sessions.book.announce_begin(&prepared.new, &begun);
                Ok(prepared.logged_in)
            })
            .await
        })
        .await
    }
}
