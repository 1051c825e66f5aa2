//! Users, their sessions, and the audit of who did what, as the store keeps them.
//!
//! A session is also a stream of events: its id is the stream's id, its first event reports its start, and
//! its last event reports its end.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{EventDraft, Result, StoredEvent, StreamId, UserId};
use crate::clock::Timestamp;

/// Counts the changes of a user, from 1. Logins do not count.
pub type Revision = u64;

/// A user of this service, with a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The internal id.
    pub id: UserId,
    /// The provider of the wallet. Unique together with `wallet_id`.
    pub provider: String,
    /// The wallet, as its provider names it.
    pub wallet_id: String,
    /// How the user proves to own the wallet, in the provider's words.
    pub auth_method: String,
    /// The provider's name for the user: a key, an address.
    pub auth_identifier: String,
    /// A name that the operator set.
    pub username: Option<String>,
    /// An address that the operator set.
    pub email: Option<String>,
    /// Roles, sorted, without duplicates.
    pub roles: Vec<String>,
    /// Permissions, sorted, without duplicates.
    pub permissions: Vec<String>,
    /// Whether the operator disabled the user.
    pub disabled: bool,
    /// Incremented with each change.
    pub revision: Revision,
    /// When the user first logged in, or was invited.
    pub created_at: Timestamp,
    /// When the user last logged in; before the first login, `created_at`.
    pub last_login: Timestamp,
    /// The number of logins.
    pub logins: u64,
}

/// A session, which a login started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id, which is also the id of its stream.
    pub id: StreamId,
    /// The user of the session.
    pub user: UserId,
    /// A hash of the credential that started it, or renewed it last.
    pub credential: [u8; 32],
    /// When it started.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was ended before that, and why.
    pub ended: Option<(Timestamp, String)>,
}

/// A login: the new session, and the user with this login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The user as read by `session`. The store sets `last_login` and `logins`.
    pub user: User,
    /// The revision of the user that this was made from. `None`: no user with this wallet was known.
    pub known_as: Option<Revision>,
    /// The session; its `user` is the id of `user`.
    pub session: Session,
    /// The first event of its stream.
    pub begins: EventDraft,
    /// How many sessions a user may have at the same time; the oldest ones beyond that are ended.
    pub max_sessions: usize,
    /// Why those sessions end, and the last event of their streams.
    pub superseded: (String, EventDraft),
    /// The audit record of the login.
    pub audit: AuditDraft,
}

/// A session that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The first event of its stream.
    pub event: StoredEvent,
    /// Sessions that were ended to make room for it.
    pub superseded: Vec<Ended>,
}

/// A session that was ended, and the last event of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The session.
    pub session: StreamId,
    /// The event.
    pub event: StoredEvent,
}

/// Selects sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChoice {
    /// This one.
    One(StreamId),
    /// All of this user.
    AllOf(UserId),
    /// All with this credential, which started or last renewed them.
    RestingOn([u8; 32]),
}

/// Selects users. A field that is `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Of this provider.
    pub provider: Option<String>,
    /// With this wallet.
    pub wallet_id: Option<String>,
    /// With this role.
    pub role: Option<String>,
    /// Disabled, or not.
    pub disabled: Option<bool>,
}

words! {
    /// What was done, or attempted: the word is in the API and in the file.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum AuditKind: as_str {
        /// A user logged in.
        Login = "login",
        /// A login was refused.
        LoginRefused = "login_refused",
        /// A token was not renewed.
        RefreshRefused = "refresh_refused",
        /// A token and a wallet's credential did not match.
        SessionMismatch = "session_mismatch",
        /// Sessions were ended.
        SessionsRevoked = "sessions_revoked",
        /// An operator added a user who had not logged in.
        UserInvited = "user_invited",
        /// An operator changed a user.
        UserChanged = "user_changed",
        /// An operator deleted a user, or the daemon deleted one that was unused for long.
        UserDeleted = "user_deleted",
        /// A new key signs access tokens.
        KeysRotated = "keys_rotated",
        /// An API token was made.
        ApiTokenMade = "api_token_made",
        /// An API token was revoked.
        ApiTokenRevoked = "api_token_revoked",
        /// Tokens were issued for a caller.
        TokenIssued = "token_issued",
        /// A token was revoked.
        TokenRevoked = "token_revoked",
        /// A relay was added at run time.
        RelayAdded = "relay_added",
        /// A relay was removed at run time.
        RelayRemoved = "relay_removed",
        /// Deliveries to the webhook were retried.
        WebhooksRetried = "webhooks_retried",
        /// Deliveries to the webhook were dropped.
        WebhooksDropped = "webhooks_dropped",
        /// The profile of the service was set at run time.
        ProfileSet = "profile_set",
        /// The code of a sign-in was refused.
        WebCodeRefused = "web_code_refused",
    }
}

impl fmt::Display for AuditKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A new audit record. No field ever contains a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditDraft {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: AuditKind,
    /// The user.
    pub user: Option<UserId>,
    /// The session.
    pub session: Option<StreamId>,
    /// The wallet: its provider, and its id if that is known for certain.
    pub provider: Option<String>,
    /// See `provider`.
    pub wallet_id: Option<String>,
    /// The reason, as a code for programs.
    pub reason: Option<String>,
    /// The changed values, as JSON.
    pub detail: Option<String>,
    /// Who requested it: a peer of the local socket, or a wallet.
    pub actor: String,
}

impl AuditDraft {
    /// The same with these values.
    #[must_use]
    pub fn with(self, detail: &serde_json::Value) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }

    /// The record of a session that ended with what this one tells of.
    pub(super) fn of_end(&self, ended: &Ended, reason: &str) -> Self {
        Self {
            kind: AuditKind::SessionsRevoked,
            session: Some(ended.session),
            reason: Some(reason.to_owned()),
            detail: None,
            ..self.clone()
        }
    }

    /// The record of a user that the daemon deletes because nobody used it for long.
    pub(super) fn of_unused(user: UserId, provider: String, wallet_id: String, at: Timestamp) -> Self {
        Self {
            at,
            kind: AuditKind::UserDeleted,
            user: Some(user),
            session: None,
            provider: Some(provider),
            wallet_id: Some(wallet_id),
            reason: Some("unused".into()),
            detail: None,
            actor: "daemon".into(),
        }
    }
}

/// A stored audit record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number: 1, 2, 3 …, growing with time.
    pub number: u64,
    /// Its content.
    pub draft: AuditDraft,
}

/// Selects audit records. A field that is `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this user.
    pub user: Option<UserId>,
    /// About this session.
    pub session: Option<StreamId>,
    /// Of this kind.
    pub kind: Option<AuditKind>,
    /// At this moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// Users and sessions. Each change is one transaction with its audit record, one record for each session that
/// it ends, and its events.
#[async_trait]
pub trait Accounts: fmt::Debug + Send + Sync {
    /// A user. Every check calls this. A store may answer from memory, but must never return a value that
    /// anyone had changed before the call.
    async fn user(&self, id: UserId) -> Result<Option<Arc<User>>>;

    /// The user with this wallet.
    async fn user_of_wallet(&self, provider: &str, wallet_id: &str) -> Result<Option<User>>;

    /// At most `limit` users after `after`, ordered by id.
    async fn users(&self, filter: &UserFilter, after: Option<UserId>, limit: usize) -> Result<Vec<User>>;

    /// Adds a user who has not logged in. [`StoreError::Conflict`](super::StoreError): the wallet has a user
    /// already; nothing was done.
    async fn add_user(&self, user: &User, audit: &AuditDraft) -> Result<()>;

    /// Replaces the previous revision by `user`, and ends all sessions of the user if `ends` gives a reason.
    /// Returns `None`, and does nothing, if the user has another revision. The fields that logins change stay
    /// as they are.
    async fn change_user(
        &self,
        user: &User,
        ends: Option<&(String, EventDraft)>,
        audit: &AuditDraft,
    ) -> Result<Option<Vec<Ended>>>;

    /// Deletes a user and ends all sessions; with `revision`, only if the user has that revision. `None`:
    /// there is no such user.
    async fn delete_user(
        &self,
        id: UserId,
        revision: Option<Revision>,
        ends: &(String, EventDraft),
        audit: &AuditDraft,
    ) -> Result<Option<Vec<Ended>>>;

    /// Starts a session, and adds or updates its user. [`StoreError::Conflict`](super::StoreError): the user
    /// is not the one that `login` was made from (changed, disabled, deleted or new meanwhile); nothing was
    /// done.
    async fn begin_session(&self, login: &NewSession) -> Result<Begun>;

    /// A session, ended or not. May come from memory: see [`Accounts::user`].
    async fn session(&self, id: StreamId) -> Result<Option<Arc<Session>>>;

    /// A session, ended or not, and its user. Every check calls this. `None`: there is no such session. May come from
    /// memory: see [`Accounts::user`].
    async fn session_with_user(&self, id: StreamId) -> Result<Option<(Arc<Session>, Arc<User>)>> {
        // The user is read last: whoever disables or deletes a user ends the sessions in the same transaction.
        let Some(session) = self.session(id).await? else { return Ok(None) };
        Ok(self.user(session.user).await?.map(|user| (session, user)))
    }

    /// The latest session that this credential started or last renewed; one that has not been ended comes
    /// first.
    async fn session_of_credential(&self, credential: &[u8; 32]) -> Result<Option<Session>>;

    /// At most `limit` sessions of a user before `before`, the latest first.
    async fn sessions_of(&self, user: UserId, before: Option<StreamId>, limit: usize)
    -> Result<Vec<Session>>;

    /// Renews a session with another credential, until this time. Returns `false`, and does nothing, if it
    /// was ended.
    async fn carry_on_session(
        &self,
        id: StreamId,
        credential: &[u8; 32],
        expires_at: Timestamp,
    ) -> Result<bool>;

    /// Ends sessions that have not been ended; `why` is the reason, and the last event of their streams. Adds
    /// a record to the audit for each, with the actor of `audit`.
    async fn end_sessions(
        &self,
        which: SessionChoice,
        why: &(String, EventDraft),
        audit: &AuditDraft,
    ) -> Result<Vec<Ended>>;

    /// How many sessions are active at `now`.
    async fn active_sessions(&self, now: Timestamp) -> Result<u64>;

    /// Adds a record to the audit.
    async fn record_audit(&self, records: &[AuditDraft]) -> Result<()>;

    /// At most `limit` audit records before number `before`, the latest first.
    async fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditRecord>>;
}
