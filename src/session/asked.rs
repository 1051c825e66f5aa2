//! The steps that every question about a session shares: find the provider, identify the credential, count the answer
//! and record refusals.

use super::audit::refusal;
use super::{Checked, Reason, Result, SessionError, Sessions};
use crate::actor::Actor;
use crate::quoted::quoted;
use crate::store::AuditKind;
use crate::wallet::{Credential, WalletIdentity};

impl Sessions {
    /// Identifies a credential with the named provider, else with the default one.
    pub(super) async fn identify(
        &self,
        provider: Option<&str>,
        credential: &Credential<'_>,
    ) -> Result<WalletIdentity> {
        let name = provider.unwrap_or(&self.default_provider);
        let Some(provider) = self.providers.get(name) else {
            let message = format!("provider: unknown provider {}", quoted(name));
            return Err(SessionError::BadRequest(message));
        };
        let wallet = provider.identify(credential).await?.checked()?;
        if wallet.expires_at <= self.book.clock.now() {
            return Err(Reason::SessionExpired.into());
        }
        Ok(wallet)
    }

    /// Counts a refusal, and records it in the audit.
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

    /// Counts an answer.
    pub(super) fn count(&self, at: &'static str, checked: &Result<Checked>, provider: Option<&str>) {
        let metrics = &self.book.metrics.sessions;
        match checked {
            Ok(checked) => metrics.passed(at, &checked.user.provider),
            Err(SessionError::Refused(reason)) => metrics.refused(at, self.meant(provider), reason.code()),
            Err(_) => {}
        }
    }

    /// The label of the provider in the metrics: only configured providers, because callers can send any name.
    pub(super) fn meant(&self, provider: Option<&str>) -> &str {
        let meant = self.providers.get(provider.unwrap_or(&self.default_provider));
        meant.map_or("unknown", |provider| provider.name())
    }
}
