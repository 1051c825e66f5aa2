//! Checks that an access token and a wallet's credential are valid, and belong together.

use std::sync::Arc;

use super::error::Mismatch;
use super::{Reason, Result, SessionError, Sessions};
use crate::access_token::{AccessError, Claims};
use crate::actor::Actor;
use crate::config::Checks;
use crate::store::{AuditKind, Session, StreamId, User, UserId};
use crate::wallet::{Credential, WalletIdentity};

/// The tokens that a caller shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offered<'a> {
    /// The second layer: an access token of Portico.
    pub access_token: Option<&'a str>,
    /// The first layer: the credential from the wallet.
    pub credential: Option<Credential<'a>>,
    /// The provider of the credential. `None`: that of the session, else the default one.
    pub provider: Option<&'a str>,
}

/// The result of a successful check.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The user.
    pub user: Arc<User>,
    /// The session.
    pub session: Arc<Session>,
    /// The claims of the access token, if the caller showed one.
    pub claims: Option<Arc<Claims>>,
    /// The wallet, as its provider verified it, if the caller showed a credential.
    pub wallet: Option<WalletIdentity>,
}

/// The result of a check that ignores the expiry of the access token.
pub(super) struct Examined {
    pub(super) checked: Checked,
    /// Whether the access token has expired.
    pub(super) is_stale: bool,
}

impl Sessions {
    /// Checks the layers that the operator requires (`sessions.checks`). `at` names the question in the metrics. The
    /// audit records tokens that do not belong together.
    pub async fn check(&self, at: &'static str, offered: Offered<'_>, actor: &Actor) -> Result<Checked> {
        let checked = self.examine(offered, self.book.rules.checks).await.and_then(Examined::fresh);
        match &checked {
            Err(SessionError::Refused(reason @ Reason::SessionMismatch(_))) => {
                self.refused(at, AuditKind::SessionMismatch, reason, offered.provider, actor);
            }
            _ => self.count(at, &checked, offered.provider),
        }
        checked
    }

    /// Every check except the expiry of the access token.
    pub(super) async fn examine(&self, offered: Offered<'_>, checks: Checks) -> Result<Examined> {
        let now = self.book.clock.now();
        let (claims, is_stale) = match offered.access_token {
            Some(token) => {
                let (claims, is_stale) = self.book.read_token(token, now)?;
                (Some(claims), is_stale)
            }
            None if checks == Checks::Credential => (None, false),
            None => return Err(Reason::NoAccessToken.into()),
        };
        let wallet = match offered.credential {
            Some(credential) => {
                // The access token, which Portico signed, names the provider of the session.
                let of_session = claims.as_ref().and_then(|claims| claims.provider.as_deref());
                Some(self.identify(offered.provider.or(of_session), &credential).await?)
            }
            None if checks == Checks::AccessToken => None,
            None => return Err(Reason::NoCredential.into()),
        };
        if let (Some(claims), Some(wallet)) = (&claims, &wallet)
            && !belong_together(claims, wallet)
        {
            let (user, session) =
                (claims.sub.parse().ok(), claims.sid.as_deref().and_then(|sid| sid.parse().ok()));
            return Err(mismatch(user, session, wallet).into());
        }
        let (user, session) = self.session_of(claims.as_deref(), wallet.as_ref()).await?;
        if let Some(wallet) = &wallet
            && (wallet.provider != user.provider || wallet.wallet_id != user.wallet_id)
        {
            return Err(mismatch(Some(user.id), Some(session.id), wallet).into());
        }
        if user.disabled {
            return Err(Reason::UserDisabled.into());
        }
        if session.ended.is_some() || (wallet.is_none() && self.is_withdrawn(&user, &session)) {
            return Err(Reason::SessionRevoked.into());
        }
        if session.expires_at <= now {
            return Err(Reason::SessionExpired.into());
        }
        Ok(Examined { checked: Checked { user, session, claims, wallet }, is_stale })
    }

    /// The session in the access token, else that of the wallet. A session that is not there was deleted with its user, or
    /// because it ended long ago.
    pub(super) async fn session_of(
        &self,
        claims: Option<&Claims>,
        wallet: Option<&WalletIdentity>,
    ) -> Result<(Arc<User>, Arc<Session>)> {
        match (claims, wallet) {
            (Some(claims), _) => {
                let id = claims.sid.as_deref().and_then(|sid| sid.parse().ok());
                let id = id.ok_or(Reason::InvalidToken(AccessError::MalformedClaims))?;
                let (session, user) = self.book.session_with_user(id).await?.ok_or(Reason::SessionRevoked)?;
                Ok((user, session))
            }
            (None, Some(wallet)) => {
                let session = self.session_of_wallet(wallet).await?;
                let user = self.book.user(session.user).await?.ok_or(Reason::SessionRevoked)?;
                Ok((user, session))
            }
            (None, None) => Err(Reason::NoSession.into()),
        }
    }

    /// The latest session that this credential began or that it renewed last, ended or not. If there is none, because
    /// a wallet may show a new credential each time: the latest open session of the wallet.
    async fn session_of_wallet(&self, wallet: &WalletIdentity) -> Result<Arc<Session>> {
        /// The number of sessions that may be open and older than some ended ones.
        const LATEST: usize = 100;

        let accounts = &self.book.accounts;
        if let Some(session) = accounts.session_of_credential(&wallet.credential).await? {
            return Ok(Arc::new(session));
        }
        let user = accounts.user_of_wallet(&wallet.provider, &wallet.wallet_id).await?;
        let user = user.ok_or(Reason::NoSession)?;
        let (now, latest) = (self.book.clock.now(), accounts.sessions_of(user.id, None, LATEST).await?);
        let goes_on = |one: &Session| one.ended.is_none() && one.expires_at > now;
        Ok(Arc::new(latest.into_iter().find(goes_on).ok_or(Reason::NoSession)?))
    }

    /// Whether the credential behind a session was revoked, when the caller does not show it.
    pub(super) fn is_withdrawn(&self, user: &User, session: &Session) -> bool {
        // The wallets of a provider that is not in use any more vouch for nobody.
        let provider = self.providers.get(user.provider.as_str());
        provider.is_none_or(|provider| provider.is_withdrawn(&session.credential))
    }
}

impl Examined {
    /// The result of the check, unless the access token has expired.
    pub(super) fn fresh(self) -> Result<Checked> {
        if self.is_stale { Err(Reason::TokenExpired { renewable: true }.into()) } else { Ok(self.checked) }
    }
}

fn mismatch(user: Option<UserId>, session: Option<StreamId>, wallet: &WalletIdentity) -> Reason {
    let (provider, wallet_id) = (wallet.provider.clone(), wallet.wallet_id.clone());
    Reason::SessionMismatch(Box::new(Mismatch { user, session, provider, wallet_id }))
}

fn belong_together(claims: &Claims, wallet: &WalletIdentity) -> bool {
    claims.provider.as_ref() == Some(&wallet.provider)
        && claims.wallet_id.as_ref() == Some(&wallet.wallet_id)
        && claims.auth_identifier.as_ref() == Some(&wallet.auth_identifier)
}
