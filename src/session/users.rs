//! Users, for operators.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::{EndReason, Result, SessionError, Sessions};
use crate::actor::Actor;
use crate::quoted::{misleads, quoted};
use crate::store::{AuditKind, Session, StreamId, User, UserFilter, UserId};

/// The length of all roles of a user together, and of all permissions, in bytes. Gateways pass each list on in a
/// header, and have room for 4 KiB of headers by default.
const MAX_LIST: usize = 1024;

/// The longest name or email address that an operator may set, in bytes.
const MAX_TEXT: usize = 256;

/// The changes to a user. A missing field stays as it is. `null` removes a name or an email address, and is refused
/// for other fields: a caller that sends it expects a change.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserChange {
    /// The new name.
    #[serde(deserialize_with = "given")]
    pub username: Option<Option<String>>,
    /// The new email address.
    #[serde(deserialize_with = "given")]
    pub email: Option<Option<String>>,
    /// All roles from now on.
    #[serde(deserialize_with = "given")]
    pub roles: Option<Vec<String>>,
    /// All permissions from now on.
    #[serde(deserialize_with = "given")]
    pub permissions: Option<Vec<String>>,
    /// Whether the user is disabled. Disabling a user ends all its sessions.
    #[serde(deserialize_with = "given")]
    pub disabled: Option<bool>,
}

/// Distinguishes `null` from a missing field.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A page of users, in the order of their ids.
#[derive(Debug, Clone)]
pub struct UserPage {
    /// The users.
    pub users: Vec<User>,
    /// The cursor of the next page, if there are more.
    pub next: Option<UserId>,
}

impl Sessions {
    /// A user.
    pub async fn user(&self, id: UserId) -> Result<User> {
        self.book.user(id).await?.map(Arc::unwrap_or_clone).ok_or(SessionError::NoSuchUser)
    }

    /// Whether this wallet may not log in: its user is disabled, or it has no user and only listed users may log in.
    pub async fn is_kept_out(&self, provider: &str, wallet_id: &str) -> Result<bool> {
        let user = self.book.accounts.user_of_wallet(provider, wallet_id).await?;
        Ok(self.book.admits(user.as_ref()).is_err())
    }

    /// At most `limit` users after `after`.
    pub async fn users(&self, filter: &UserFilter, after: Option<UserId>, limit: usize) -> Result<UserPage> {
        let mut users = self.book.accounts.users(filter, after, limit + 1).await?;
        let more = users.len() > limit;
        users.truncate(limit);
        let next = users.last().filter(|_| more).map(|user| user.id);
        Ok(UserPage { users, next })
    }

    /// At most `limit` sessions of a user before `before`, the latest first.
    pub async fn sessions_of(
        &self,
        id: UserId,
        before: Option<StreamId>,
        limit: usize,
    ) -> Result<(Vec<Session>, Option<StreamId>)> {
        self.user(id).await?;
        let mut found = self.book.accounts.sessions_of(id, before, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|session| session.id);
        Ok((found, next))
    }

    /// Changes a user, if it still has this revision (if one is given). Roles are valid from the next check, and in
    /// the next token.
    pub async fn change_user(
        self: &Arc<Self>,
        id: UserId,
        revision: Option<u64>,
        change: UserChange,
        actor: Actor,
    ) -> Result<User> {
        let change = change.checked()?;
        let sessions = Arc::clone(self);
        self.to_the_end(async move {
            loop {
                let before = sessions.user(id).await?;
                if revision.is_some_and(|revision| revision != before.revision) {
                    return Err(SessionError::Changed);
                }
                let after = change.applied_to(&before);
                if after == before {
                    return Ok(before);
                }
                if let Some(user) = sessions.put(&before, after, &actor).await? {
                    return Ok(user);
                }
            }
        })
        .await
    }

    /// `None`: another change came first.
    async fn put(&self, before: &User, mut after: User, actor: &Actor) -> Result<Option<User>> {
        let (book, now) = (&self.book, self.book.clock.now());
        after.revision = before.revision + 1;
        let disabled = after.disabled && !before.disabled;
        let ends = disabled.then(|| book.end_event(EndReason::UserDisabled, after.id, now)).transpose()?;
        let mut audit = actor.about(AuditKind::UserChanged, &after, now);
        audit.detail = Some(difference(before, &after));
        let put = book.accounts.change_user(&after, ends.as_ref(), &audit).await?;
        let Some(ended) = put else { return Ok(None) };
        book.announce_end(after.id, EndReason::UserDisabled, &ended);
        tracing::info!(user_id = %after.id, disabled = after.disabled, "user changed");
        Ok(Some(after))
    }

    /// Deletes a user, if it still has this revision (if one is given), and ends all its sessions. Returns how many.
    pub async fn delete_user(
        self: &Arc<Self>,
        id: UserId,
        revision: Option<u64>,
        actor: Actor,
    ) -> Result<usize> {
        let sessions = Arc::clone(self);
        self.to_the_end(async move {
            let user = sessions.user(id).await?;
            if revision.is_some_and(|revision| revision != user.revision) {
                return Err(SessionError::Changed);
            }
            let (book, now) = (&sessions.book, sessions.book.clock.now());
            let audit = actor.about(AuditKind::UserDeleted, &user, now);
            let ends = book.end_event(EndReason::UserDeleted, id, now)?;
            let deleted = book.accounts.delete_user(id, revision, &ends, &audit).await?;
            let ended = deleted.ok_or(SessionError::Changed)?;
            book.announce_end(id, EndReason::UserDeleted, &ended);
            tracing::info!(user_id = %id, "user deleted");
            Ok(ended.len())
        })
        .await
    }
}

impl UserChange {
    pub(super) fn checked(mut self) -> Result<Self> {
        for (field, text) in [("username", &self.username), ("email", &self.email)] {
            if let Some(Some(text)) = text
                && (text.is_empty() || text.len() > MAX_TEXT || text.chars().any(misleads))
            {
                let message = format!(
                    "{field}: must be 1 to {MAX_TEXT} bytes of one line, without characters that are invisible or turn the \
                     text around"
                );
                return Err(SessionError::BadRequest(message));
            }
        }
        for (field, list) in [("roles", &mut self.roles), ("permissions", &mut self.permissions)] {
            let Some(list) = list else { continue };
            list.sort();
            list.dedup();
            if let Some(name) = list.iter().find(|name| !is_name(name)) {
                let message =
                    format!("{field}: {} may contain only letters, digits and . : _ / * -", quoted(name));
                return Err(SessionError::BadRequest(message));
            }
            if list.iter().map(|name| name.len() + 1).sum::<usize>() > MAX_LIST {
                return Err(SessionError::BadRequest(format!(
                    "{field}: must have at most {MAX_LIST} bytes together"
                )));
            }
        }
        Ok(self)
    }

    pub(super) fn applied_to(&self, user: &User) -> User {
        let mut user = user.clone();
        if let Some(username) = &self.username {
            user.username.clone_from(username);
        }
        if let Some(email) = &self.email {
            user.email.clone_from(email);
        }
        if let Some(roles) = &self.roles {
            user.roles.clone_from(roles);
        }
        if let Some(permissions) = &self.permissions {
            user.permissions.clone_from(permissions);
        }
        if let Some(disabled) = self.disabled {
            user.disabled = disabled;
        }
        user
    }
}

/// Whether a gateway's header can carry this name in a list.
fn is_name(name: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b".:_/*-".contains(&byte);
    !name.is_empty() && name.bytes().all(is_usual)
}

/// The changed fields before and after, as JSON.
pub(super) fn difference(before: &User, after: &User) -> String {
    let fields = |user: &User| {
        let User { username, email, roles, permissions, disabled, .. } = user;
        [
            ("username", json!(username)),
            ("email", json!(email)),
            ("roles", json!(roles)),
            ("permissions", json!(permissions)),
            ("disabled", json!(disabled)),
        ]
    };
    let changes = fields(before).into_iter().zip(fields(after)).filter(|((_, old), (_, new))| old != new);
    let changes: serde_json::Map<_, _> = changes
        .map(|((name, old), (_, new))| (name.to_owned(), json!({ "before": old, "after": new })))
        .collect();
    serde_json::Value::Object(changes).to_string()
}
