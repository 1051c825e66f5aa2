//! What is known of users and sessions, and what a login makes of them.

use std::sync::Arc;

use rand::{Rng, thread_rng};

use super::audit::{Budget, refusal};
use super::{Reason, Result, SessionError};
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
    /// Refusals that the audit has room for.
    pub(super) refusals: Arc<Budget>,
}

/// A login that the store has not kept yet.
#[derive(Debug)]
pub struct Prepared {
    /// What the store is to keep.
    pub new: NewSession,
    /// What whoever asked for the login is told once it has.
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

    /// A login with this wallet, as it would be now. Should the user change before the store keeps it, that
    /// refuses it as a conflict, and the login is to be prepared anew.
    ///
    /// # Errors
    /// [`Reason::UserDisabled`], [`Reason::UserNotListed`], [`Reason::SessionExpired`], or what the store says.
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
        let superseded = self.end_event("superseded", user.id, now)?;
        let audit = AuditDraft { session: Some(session.id), ..actor.about(AuditKind::Login, &user, now) };
        let max_sessions = self.rules.max_per_user;
        let new = NewSession { user, known_as, session, begins, max_sessions, superseded, audit };
        Ok(Prepared { new, logged_in })
    }

    /// Whether a wallet may begin a session here; `user` is the one that it has.
    pub(super) fn admits(&self, user: Option<&User>) -> Result<(), Reason> {
        match user {
            Some(user) if user.disabled => Err(Reason::UserDisabled),
            None if self.rules.sign_up == SignUp::Listed => Err(Reason::UserNotListed),
            _ => Ok(()),
        }
    }

    /// The store has kept a login: announces it.
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
        self.announce_end(user.id, "superseded", &begun.superseded);
        tracing::info!(session_id = %session.id, user_id = %user.id, provider = user.provider, "session created");
    }

    /// A login over the relays was refused, though its wallet has approved: counted, and told in the audit.
    pub async fn refused_at_login(&self, wallet: &WalletIdentity, reason: &Reason, actor: &Actor) {
        self.metrics.sessions.refused("login", &wallet.provider, reason.code());
        let draft = refusal(actor, AuditKind::LoginRefused, &wallet.provider, reason, self.clock.now());
        if !self.refusals.take(draft.at) {
            return self.metrics.limits.reached(Limit::AuditedRefusals);
        }
        let draft = AuditDraft { wallet_id: Some(wallet.wallet_id.clone()), ..draft };
        if let Err(error) = self.accounts.record_audit(&[draft]).await {
            tracing::warn!(%error, "a refusal is missing in the audit");
        }
    }

    /// What the token of a session says, and whether it has run out.
    pub(super) fn read_token(&self, token: &str, now: Timestamp) -> Result<(Arc<Claims>, bool), Reason> {
        self.mint.read_session_token(token, now).map_err(Reason::InvalidToken)
    }

    /// The token of a session that goes on.
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

    /// When a session that began then ends by itself, carried on with this wallet's credential.
    pub(super) fn expiry_of(&self, began: Timestamp, wallet: &WalletIdentity) -> Timestamp {
        wallet.expires_at.min(began.plus(self.rules.max_lifetime))
    }

    /// Why sessions end, and the event that tells of it.
    pub(super) fn end_event(
        &self,
        reason: &str,
        user: UserId,
        now: Timestamp,
    ) -> Result<(String, EventDraft)> {
        let body = EventBody::SessionRevoked { user_id: user, reason: reason.to_owned() };
        Ok((reason.to_owned(), self.events.draft(now, &body)?))
    }

    /// The store has ended sessions: announces it.
    pub(super) fn announce_end(&self, user: UserId, reason: &str, ended: &[Ended]) {
        for Ended { session, event } in ended {
            self.metrics.sessions.revoked(reason);
            tracing::info!(session_id = %session, user_id = %user, reason, "session revoked");
            let body = EventBody::SessionRevoked { user_id: user, reason: reason.to_owned() };
            self.events.publish(*session, event, body, true);
        }
    }

    pub(super) async fn user(&self, id: UserId) -> Result<Option<Arc<User>>> {
        Ok(self.accounts.user(id).await?)
    }

    pub(super) async fn session(&self, id: StreamId) -> Result<Option<Arc<Session>>> {
        Ok(self.accounts.session(id).await?)
    }
}

/// The user with this wallet as a login at `now` finds them: new, known, or known by another identifier.
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

/// A new user with this wallet, of whom nothing else is known.
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

/// Does `begin` again for as long as somebody changes the user at the same moment.
pub async fn until_undisturbed<T, F>(begin: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    /// Each time some other change has gone through, so hardly anybody comes twice.
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
