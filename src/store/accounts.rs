//! Users, their sessions, and the record of who did what: the second layer, as it is kept.
//!
//! A session is a stream of events, too: its id is the stream's, its first event tells of its beginning and its
//! last of its end.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{EventDraft, Result, StoredEvent, StreamId, UserId};
use crate::clock::Timestamp;

/// Counts the changes of a user, from 1. Logins are none.
pub type Revision = u64;

/// Somebody with a wallet, as this service knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The internal id.
    pub id: UserId,
    /// Who vouches for the wallet. Together with `wallet_id` it is unique.
    pub provider: String,
    /// The wallet, as its provider names it.
    pub wallet_id: String,
    /// How the user proves to be the wallet's owner, in the provider's words.
    pub auth_method: String,
    /// What the user is known by there: a key, an address.
    pub auth_identifier: String,
    /// A name that the operator gave.
    pub username: Option<String>,
    /// An address that the operator gave.
    pub email: Option<String>,
    /// Roles, sorted, none twice.
    pub roles: Vec<String>,
    /// Permissions, sorted, none twice.
    pub permissions: Vec<String>,
    /// Whether the user is kept out.
    pub disabled: bool,
    /// Grows by one with each change.
    pub revision: Revision,
    /// When the user first logged in, or was invited.
    pub created_at: Timestamp,
    /// When the user logged in last; without a login so far, `created_at`.
    pub last_login: Timestamp,
    /// How often.
    pub logins: u64,
}

/// A session: what a login began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id, and the id of the stream that tells of it.
    pub id: StreamId,
    /// Whose it is.
    pub user: UserId,
    /// A hash that names the credential which began it, or carried it on last.
    pub credential: [u8; 32],
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended before that, and why.
    pub ended: Option<(Timestamp, String)>,
}

/// A login: the session that it begins, and the user as that is to be from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The user as `session` finds them. `last_login` and `logins` are set by the store.
    pub user: User,
    /// The revision of the user that this was made from. `None`: nobody with this wallet was known.
    pub known_as: Option<Revision>,
    /// The session; its `user` is that of `user`.
    pub session: Session,
    /// The first event of its stream.
    pub begins: EventDraft,
    /// Sessions that a user may have at the same time; the oldest beyond these are ended.
    pub max_sessions: usize,
    /// Why those ended, and the last event of their streams.
    pub superseded: (String, EventDraft),
    /// What the audit says of it.
    pub audit: AuditDraft,
}

/// A session that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The first event of its stream.
    pub event: StoredEvent,
    /// Sessions that ended to make room for it.
    pub superseded: Vec<Ended>,
}

/// A session that was ended, and the last event of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which session.
    pub session: StreamId,
    /// The event.
    pub event: StoredEvent,
}

/// Which sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChoice {
    /// This one.
    One(StreamId),
    /// All of this user.
    AllOf(UserId),
    /// Those that rest on this credential: that it began, or carried on last.
    RestingOn([u8; 32]),
}

/// Which users. What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Of this provider.
    pub provider: Option<String>,
    /// With this wallet.
    pub wallet_id: Option<String>,
    /// With this role.
    pub role: Option<String>,
    /// Kept out, or not.
    pub disabled: Option<bool>,
}

macro_rules! audit_kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        /// What was done, or tried.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditKind { $($(#[$doc])* $variant),+ }

        impl AuditKind {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As callers and the file say it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The kind of that word.
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
            }
        }
    };
}

audit_kinds! {
    /// A user logged in.
    Login = "login",
    /// A login was refused.
    LoginRefused = "login_refused",
    /// A token was not renewed.
    RefreshRefused = "refresh_refused",
    /// A token and a wallet's credential did not belong together.
    SessionMismatch = "session_mismatch",
    /// Sessions were ended.
    SessionsRevoked = "sessions_revoked",
    /// An operator added a user who had not logged in.
    UserInvited = "user_invited",
    /// An operator changed a user.
    UserChanged = "user_changed",
    /// An operator deleted a user, or the daemon one who was not seen for long.
    UserDeleted = "user_deleted",
    /// A new key signs access tokens.
    KeysRotated = "keys_rotated",
}

impl fmt::Display for AuditKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the audit is to say. No field ever holds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditDraft {
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub kind: AuditKind,
    /// About which user.
    pub user: Option<UserId>,
    /// About which session.
    pub session: Option<StreamId>,
    /// About which wallet: its provider, and its id where that is known for certain.
    pub provider: Option<String>,
    /// See `provider`.
    pub wallet_id: Option<String>,
    /// Why, as a code for programs.
    pub reason: Option<String>,
    /// What was changed, as JSON.
    pub detail: Option<String>,
    /// Who asked for it: a peer of the local socket, or a wallet.
    pub actor: String,
}

/// What the audit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number: 1, 2, 3 …, growing with time.
    pub number: u64,
    /// What it says.
    pub draft: AuditDraft,
}

/// Which audit records. What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this user.
    pub user: Option<UserId>,
    /// About this session.
    pub session: Option<StreamId>,
    /// Of this kind.
    pub kind: Option<AuditKind>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// From before this moment.
    pub until: Option<Timestamp>,
}

/// Users and sessions. Each change is one transaction with its audit record, one of each session that it ends, and
/// the events it causes.
#[async_trait]
pub trait Accounts: fmt::Debug + Send + Sync {
    /// A user. Asked by every check: a store may answer from memory, as long as it never answers with what was changed
    /// before it was asked, by whomever.
    async fn user(&self, id: UserId) -> Result<Option<Arc<User>>>;

    /// The user with this wallet.
    async fn user_of_wallet(&self, provider: &str, wallet_id: &str) -> Result<Option<User>>;

    /// At most `limit` users behind `after`, in the order of their ids.
    async fn users(&self, filter: &UserFilter, after: Option<UserId>, limit: usize) -> Result<Vec<User>>;

    /// Adds a user who has not logged in. [`StoreError::Conflict`](super::StoreError): the wallet has a user
    /// already, and nothing was done.
    async fn add_user(&self, user: &User, audit: &AuditDraft) -> Result<()>;

    /// Puts `user` in the place of the revision before it, and ends all sessions of the user if `ends` tells
    /// why. `None`: the user is not of that revision (any more), and nothing was done. What logins count stays
    /// as it is.
    async fn change_user(
        &self,
        user: &User,
        ends: Option<&(String, EventDraft)>,
        audit: &AuditDraft,
    ) -> Result<Option<Vec<Ended>>>;

    /// Deletes a user, if `revision` is given only one of that, and ends all sessions. `None`: there is no such
    /// user.
    async fn delete_user(
        &self,
        id: UserId,
        revision: Option<Revision>,
        ends: &(String, EventDraft),
        audit: &AuditDraft,
    ) -> Result<Option<Vec<Ended>>>;

    /// Begins a session, and adds or updates its user. [`StoreError::Conflict`](super::StoreError): the user is
    /// not as `login` was made from (changed, disabled, deleted, new meanwhile), and nothing was done.
    async fn begin_session(&self, login: &NewSession) -> Result<Begun>;

    /// A session, ended or not. From memory, maybe: see [`Accounts::user`].
    async fn session(&self, id: StreamId) -> Result<Option<Arc<Session>>>;

    /// The latest session that this credential began, or carried on last; one that has not been ended first.
    async fn session_of_credential(&self, credential: &[u8; 32]) -> Result<Option<Session>>;

    /// At most `limit` sessions of a user from before `before`, the latest first.
    async fn sessions_of(&self, user: UserId, before: Option<StreamId>, limit: usize)
    -> Result<Vec<Session>>;

    /// A session goes on with another credential, until then. `false`: it was ended, and nothing was done.
    async fn carry_on_session(
        &self,
        id: StreamId,
        credential: &[u8; 32],
        expires_at: Timestamp,
    ) -> Result<bool>;

    /// Ends sessions that have not been ended; `why` is the reason, and the last event of their streams. The
    /// audit hears of each, by whoever `audit` names.
    async fn end_sessions(
        &self,
        which: SessionChoice,
        why: &(String, EventDraft),
        audit: &AuditDraft,
    ) -> Result<Vec<Ended>>;

    /// How many sessions go on at `now`.
    async fn active_sessions(&self, now: Timestamp) -> Result<u64>;

    /// Adds to the audit.
    async fn record_audit(&self, records: &[AuditDraft]) -> Result<()>;

    /// At most `limit` audit records from before number `before`, the latest first.
    async fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditRecord>>;
}
