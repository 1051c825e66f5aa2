//! Users of this service. Each change states the revision that it was made from.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::audit;
use super::columns::{Count, Json};
use super::conditions::Conditions;
use super::memory::Changed;
use super::transaction::Transaction;
use crate::clock::Timestamp;
use crate::store::{AuditDraft, Result, Revision, StoreError, User, UserFilter, UserId};

const SELECT: &str = "SELECT id, provider, wallet_id, auth_method, auth_identifier, username, email, roles,
    permissions, disabled, revision, created_at, last_login, logins FROM users";

/// A user.
pub(super) fn find(db: &Connection, id: UserId) -> Result<Option<User>> {
    let mut query = db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    Ok(query.query_row([id], read).optional()?)
}

/// The user with this wallet.
pub(super) fn of_wallet(db: &Connection, provider: &str, wallet_id: &str) -> Result<Option<User>> {
    let mut query = db.prepare_cached(&format!("{SELECT} WHERE wallet_id = ?1 AND provider = ?2"))?;
    Ok(query.query_row([wallet_id, provider], read).optional()?)
}

/// At most `limit` users after `after`, ordered by id.
pub(super) fn list(
    db: &Connection,
    filter: &UserFilter,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<User>> {
    let limit = Count(limit as u64);
    let (sql, values) = Conditions::default()
        .and("provider = ?", filter.provider.as_ref())
        .and("wallet_id = ?", filter.wallet_id.as_ref())
        .and("EXISTS (SELECT 1 FROM json_each(roles) WHERE value = ?)", filter.role.as_ref())
        .and("disabled = ?", filter.disabled.as_ref())
        .and("id > ?", after.as_ref())
        .into_query(SELECT, " ORDER BY id LIMIT ?", &limit);
    // Not kept prepared: what operators ask is of many forms, and rare.
    let mut query = db.prepare(&sql)?;
    Ok(query.query_map(values.as_slice(), read)?.collect::<rusqlite::Result<_>>()?)
}

/// Counts a login, and takes the proof from `user`; adds the user if they were not `known_as` any revision.
/// [`StoreError::Conflict`]: the user has changed since the caller read them.
pub(super) fn log_in(
    db: &Transaction<'_>,
    user: &User,
    known_as: Option<Revision>,
    at: Timestamp,
) -> Result<()> {
    let Some(known_as) = known_as else {
        return insert(db, &User { last_login: at, logins: 1, ..user.clone() });
    };
    let changed = db
        .prepare_cached(
            "UPDATE users SET auth_method = ?3, auth_identifier = ?4, revision = ?5, last_login = ?6,
                 logins = logins + 1
             WHERE id = ?1 AND revision = ?2 AND NOT disabled",
        )?
        .execute(params![
            user.id,
            Count(known_as),
            user.auth_method,
            user.auth_identifier,
            Count(user.revision),
            at,
        ])?;
    db.note(Changed::User(user.id));
    if changed > 0 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Replaces the previous revision by `user`, except for the fields that logins change. Returns `false` if
/// that revision does not exist.
pub(super) fn change(db: &Transaction<'_>, user: &User) -> Result<bool> {
    let changed = db
        .prepare_cached(
            "UPDATE users SET provider = ?2, wallet_id = ?3, auth_method = ?4, auth_identifier = ?5,
                 username = ?6, email = ?7, roles = ?8, permissions = ?9, disabled = ?10, revision = ?11
             WHERE id = ?1 AND revision = ?11 - 1",
        )?
        .execute(params![
            user.id,
            user.provider,
            user.wallet_id,
            user.auth_method,
            user.auth_identifier,
            user.username,
            user.email,
            Json(&user.roles),
            Json(&user.permissions),
            user.disabled,
            Count(user.revision),
        ])?;
    db.note(Changed::User(user.id));
    Ok(changed > 0)
}

/// Whether the user exists, with this revision if one is given.
pub(super) fn exists(db: &Connection, id: UserId, revision: Option<Revision>) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND revision = ifnull(?2, revision)")?
        .exists(params![id, revision.map(Count)])?)
}

/// Deletes a user; their sessions were deleted before.
pub(super) fn delete(db: &Transaction<'_>, id: UserId) -> Result<()> {
    db.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([id])?;
    db.note(Changed::User(id));
    Ok(())
}

/// Deletes users who last logged in before `before`, have no session left, and were never changed by an
/// operator (they still have their first revision). Adds an audit record for each.
pub(super) fn purge(db: &Transaction<'_>, before: Timestamp, limit: u32, at: Timestamp) -> Result<u64> {
    let gone: Vec<(UserId, String, String)> = db
        .prepare_cached(
            "DELETE FROM users WHERE id IN
             (SELECT id FROM users WHERE revision = 1 AND last_login < ?1 AND logins > 0
              AND roles = '[]' AND permissions = '[]' AND username IS NULL AND email IS NULL AND NOT disabled
              AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.user = users.id)
              ORDER BY last_login LIMIT ?2)
             RETURNING id, provider, wallet_id",
        )?
        .query_map(params![before, limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let count = gone.len() as u64;
    for (id, provider, wallet_id) in gone {
        db.note(Changed::User(id));
        audit::record(db, &AuditDraft::of_unused(id, provider, wallet_id, at))?;
    }
    Ok(count)
}

/// Adds a user unchanged. [`StoreError::Conflict`]: the wallet has a user already.
pub(super) fn insert(db: &Connection, user: &User) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO users (id, provider, wallet_id, auth_method, auth_identifier, username, email, roles,
             permissions, disabled, revision, created_at, last_login, logins)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        user.id,
        user.provider,
        user.wallet_id,
        user.auth_method,
        user.auth_identifier,
        user.username,
        user.email,
        Json(&user.roles),
        Json(&user.permissions),
        user.disabled,
        Count(user.revision),
        user.created_at,
        user.last_login,
        Count(user.logins),
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    let (Json(roles), Json(permissions)) = (row.get("roles")?, row.get("permissions")?);
    let (Count(revision), Count(logins)) = (row.get("revision")?, row.get("logins")?);
    Ok(User {
        id: row.get("id")?,
        provider: row.get("provider")?,
        wallet_id: row.get("wallet_id")?,
        auth_method: row.get("auth_method")?,
        auth_identifier: row.get("auth_identifier")?,
        username: row.get("username")?,
        email: row.get("email")?,
        roles,
        permissions,
        disabled: row.get("disabled")?,
        revision,
        created_at: row.get("created_at")?,
        last_login: row.get("last_login")?,
        logins,
    })
}
