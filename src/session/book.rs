//! Users and sessions in the store, and the changes that a login makes to them.

use std::sync::Arc;

use rand::{Rng, thread_rng};

use super::audit::{Budget, refusal};
use super::{EndReason, Reason, Result, SessionError};
use crate::access_token::{AccessToken, Claims};
use crate::actor::Actor;
use crate::clock::{SharedClock, Timestamp};
use crate::config::{SessionRules, SignUp};
use crate::events::{EventBody, Events, LoggedIn, Member, OpenSession};
use crate::metrics::{Limit, Metrics};
use crate::store::{
    Accounts, AuditDraft, AuditKind, Begun, Ended, EventDraft, NewSession, Session, StoreError, StreamId,
    User, UserId,
};
use crate::tokens::{Mint, SessionSubject};
use crate::wallet::WalletIdentity;

/// Users and sessions, as the store keeps them.
#[derive(Debug)]
pub struct Book {
    pub(super) accounts: Arc<dyn Accounts>,
    pub(super) events: Events,
    pub(super) mint: Arc<Mint>,
    pub(super) rules: SessionRules,
    pub(super) clock: SharedClock,
    pub(super) metrics: Arc<Metrics>,
    /// How many refusals the audit has room for.
    pub(super) refusals: Arc<Budget>,
}

/// A login that is prepared and not yet stored.
#[derive(Debug)]
pub struct Prepared {
    /// The change for the store.
    pub new: NewSession,
    /// The result for the caller, once the change is stored.
    pub logged_in: LoggedIn,
}

impl Book {
    /// Users and sessions in this store.
    pub fn new(
        accounts: Arc<dyn Accounts>,
        events: Events,
        mint: Arc<Mint>,
        rules: SessionRules,
        clock: SharedClock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let refusals = Arc::<Budget>::default();
        Self { accounts, events, mint, rules, clock, metrics, refusals }
    }

    /// Prepares a login with this wallet from the current state. If the user changes before the login is stored, the
    /// store answers with a conflict, and the caller must prepare the login again.
    ///
    /// # Errors
    /// [`Reason::UserDisabled`], [`Reason::UserNotListed`], [`Reason::SessionExpired`], or an error of the store.
    pub async fn prepare(&self, wallet: &WalletIdentity, actor: &Actor) -> Result<Prepared> {
        let now = self.clock.now();
        if wallet.expires_at <= now {
            return Err(Reason::SessionExpired.into());
        }
        let known = self.accounts.user_of_wallet(&wallet.provider, &wallet.wallet_id).await?;
        self.admits(known.as_ref())?;
        let known_as = known.as_ref().map(|user| user.revision);
        let user = as_of(wallet, known, now);
        let session = Session {
            id: StreamId::new(now, thread_rng().r#gen()),
            user: user.id,
            credential: wallet.credential,
            created_at: now,
            expires_at: self.expiry_of(now, wallet),
            ended: None,
        };
        let logged_in = self.logged_in(&user, &session, wallet, now)?;
        let begins = self.events.draft(
            now,
            &EventBody::SessionCreated {
                user_id: user.id,
                provider: user.provider.clone(),
                wallet_id: user.wallet_id.clone(),
                expires_at: session.expires_at,
            },
        )?;
        let superseded = self.end_event(EndReason::Superseded, user.id, now)?;
        let audit = AuditDraft { session: Some(session.id), ..actor.about(AuditKind::Login, &user, now) };
        let max_sessions = self.rules.max_per_user;
        let new = NewSession { user, known_as, session, begins, max_sessions, superseded, audit };
        Ok(Prepared { new, logged_in })
    }

    /// Whether a wallet may begin a session here. `user` is the user of that wallet, if it has one.
    pub(super) fn admits(&self, user: Option<&User>) -> Result<(), Reason> {
        match user {
            Some(user) if user.disabled => Err(Reason::UserDisabled),
            None if self.rules.sign_up == SignUp::Listed => Err(Reason::UserNotListed),
            _ => Ok(()),
        }
    }

    /// Announces a login that the store has kept.
    pub fn announce_begin(&self, new: &NewSession, begun: &Begun) {
        let NewSession { user, session, .. } = new;
        self.metrics.sessions.logged_in(&user.provider);
        self.events.begin(session.id);
        let body = EventBody::SessionCreated {
            user_id: user.id,
            provider: user.provider.clone(),
            wallet_id: user.wallet_id.clone(),
            expires_at: session.expires_at,
        };
        self.events.publish(session.id, &begun.event, body, false);
        for _ in &begun.superseded {
            self.metrics.limits.reached(Limit::SessionsPerUser);
        }
        self.announce_end(user.id, EndReason::Superseded, &begun.superseded);
        tracing::info!(session_id = %session.id, user_id = %user.id, provider = user.provider, "session created");
    }

    /// Counts and audits a login over the relays that was refused although its wallet approved.
    pub async fn refused_at_login(&self, wallet: &WalletIdentity, reason: &Reason, actor: &Actor) {
        self.metrics.sessions.refused("login", &wallet.provider, reason.code());
        let draft = refusal(actor, AuditKind::LoginRefused, &wallet.provider, reason, self.clock.now());
        if !self.refusals.take(draft.at) {
            return self.metrics.limits.reached(Limit::AuditedRefusals);
        }
        let draft = AuditDraft { wallet_id: Some(wallet.wallet_id.clone()), ..draft };
        if let Err(error) = self.accounts.record_audit(&[draft]).await {
            tracing::warn!(%error, "cannot record a refusal in the audit");
        }
    }

    /// The claims of a session's access token, and whether the token has expired.
    pub(super) fn read_token(&self, token: &str, now: Timestamp) -> Result<(Arc<Claims>, bool), Reason> {
        self.mint.read_session_token(token, now).map_err(Reason::InvalidToken)
    }

    /// A new access token in an open session.
    pub(super) fn logged_in(
        &self,
        user: &User,
        session: &Session,
        wallet: &WalletIdentity,
        now: Timestamp,
    ) -> Result<LoggedIn> {
        let until = session.expires_at.min(wallet.expires_at);
        let subject = SessionSubject {
            user: user.id.to_string(),
            session: session.id.to_string(),
            provider: user.provider.clone(),
            wallet_id: user.wallet_id.clone(),
            auth_method: wallet.auth_method.clone(),
            auth_identifier: wallet.auth_identifier.clone(),
            roles: user.roles.clone(),
            permissions: user.permissions.clone(),
            target_key: wallet.target_key.clone(),
        };
        let (token, expires_in) = self.mint.session_token(subject, now, until)?;
        Ok(LoggedIn {
            access_token: AccessToken::new(token),
            token_type: "Bearer".into(),
            expires_in,
            session: OpenSession::from(session),
            user: Member::from(user),
        })
    }

    /// When a session expires that began at `began` and now rests on this wallet's credential.
    pub(super) fn expiry_of(&self, began: Timestamp, wallet: &WalletIdentity) -> Timestamp {
        wallet.expires_at.min(began.plus(self.rules.max_lifetime))
    }

    /// The reason why sessions end, and the event that reports it.
    pub(super) fn end_event(
        &self,
        reason: EndReason,
        user: UserId,
        now: Timestamp,
    ) -> Result<(String, EventDraft)> {
        let body = EventBody::SessionRevoked { user_id: user, reason: reason.to_string() };
        Ok((reason.to_string(), self.events.draft(now, &body)?))
    }

    /// Announces sessions that the store has ended.
    pub(super) fn announce_end(&self, user: UserId, reason: EndReason, ended: &[Ended]) {
        for Ended { session, event } in ended {
            self.metrics.sessions.revoked(reason.as_str());
            tracing::info!(session_id = %session, user_id = %user, reason = reason.as_str(), "session revoked");
            let body = EventBody::SessionRevoked { user_id: user, reason: reason.to_string() };
            self.events.publish(*session, event, body, true);
        }
    }

    pub(super) async fn user(&self, id: UserId) -> Result<Option<Arc<User>>> {
        Ok(self.accounts.user(id).await?)
    }

    pub(super) async fn session_with_user(&self, id: StreamId) -> Result<Option<(Arc<Session>, Arc<User>)>> {
        Ok(self.accounts.session_with_user(id).await?)
    }

    pub(super) async fn session(&self, id: StreamId) -> Result<Option<Arc<Session>>> {
        Ok(self.accounts.session(id).await?)
    }
}

/// The user with this wallet after a login at `now`: new, unchanged, or with another identifier.
fn as_of(wallet: &WalletIdentity, known: Option<User>, now: Timestamp) -> User {
    let (auth_method, auth_identifier) = (wallet.auth_method.clone(), wallet.auth_identifier.clone());
    match known {
        Some(user) if user.auth_method == auth_method && user.auth_identifier == auth_identifier => user,
        Some(user) => User { auth_method, auth_identifier, revision: user.revision + 1, ..user },
        None => User {
            auth_method,
            auth_identifier,
            ..nobody_yet(wallet.provider.clone(), wallet.wallet_id.clone(), now)
        },
    }
}

/// A new user with this wallet, with no other data yet.
pub(super) fn nobody_yet(provider: String, wallet_id: String, now: Timestamp) -> User {
    User {
        id: UserId::new(now, thread_rng().r#gen()),
        provider,
        wallet_id,
        auth_method: String::new(),
        auth_identifier: String::new(),
        username: None,
        email: None,
        roles: Vec::new(),
        permissions: Vec::new(),
        disabled: false,
        revision: 1,
        created_at: now,
        last_login: now,
        logins: 0,
    }
}

/// Repeats `begin` while other changes to the same user conflict with it.
pub async fn until_undisturbed<T, F>(begin: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    /// With each conflict another change succeeded, so more than one repetition is rare.
    const MOST: usize = 32;

    let mut result = begin().await;
    for _ in 1..MOST {
        match result {
            Err(SessionError::Store(StoreError::Conflict)) => result = begin().await,
            done => return done,
        }
    }
    result
}
