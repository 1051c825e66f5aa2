//! A wallet's credential becomes a session.

use std::sync::Arc;

use super::audit::refusal;
use super::book::until_undisturbed;
use super::{Reason, Result, SessionError, Sessions};
use crate::actor::Actor;
use crate::events::LoggedIn;
use crate::quoted::quoted;
use crate::store::AuditKind;
use crate::wallet::{Credential, WalletIdentity};

impl Sessions {
    /// Begins a session for whoever this credential is of.
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
        self.rates.log_in(&wallet, self.book.clock.now())?;
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

    /// Whose credential it is, by the word of the provider that is named, or else meant.
    pub(super) async fn identify(
        &self,
        provider: Option<&str>,
        credential: &Credential<'_>,
    ) -> Result<WalletIdentity> {
        let name = provider.unwrap_or(&self.default_provider);
        let Some(provider) = self.providers.get(name) else {
            let message = format!("provider: there is no wallet provider {}", quoted(name));
            return Err(SessionError::BadRequest(message));
        };
        let wallet = provider.identify(credential).await?.checked()?;
        if wallet.expires_at <= self.book.clock.now() {
            return Err(Reason::SessionExpired.into());
        }
        Ok(wallet)
    }

    /// Counts a refusal, and has the audit tell of it.
    pub(super) fn refused(
        &self,
        at: &'static str,
        kind: AuditKind,
        reason: &Reason,
        provider: Option<&str>,
        actor: &Actor,
    ) {
        let provider = self.meant(provider);
        self.book.metrics.sessions.refused(at, provider, reason.code());
        let draft = refusal(actor, kind, provider, reason, self.book.clock.now());
        self.trail.add(draft);
    }
}
