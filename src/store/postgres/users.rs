//! Users of this service. Each change states the revision that it was made from.

use tokio_postgres::Row;

use super::audit;
use super::columns::Count;
use super::conditions::Conditions;
use super::failure::Outcome;
use super::query::{get, is_storable, read_all};
use super::readers::Readers;
use super::transaction::Transaction;
use crate::clock::Timestamp;
use crate::store::{AuditDraft, Revision, StoreError, User, UserFilter, UserId};

/// In the order in which they are read.
pub(super) const COLUMNS: &str =
    "users.id, provider, wallet_id, auth_method, auth_identifier, username, email, roles,
    permissions, disabled, revision, users.created_at, last_login, logins";

fn select() -> String {
    format!("SELECT {COLUMNS} FROM users")
}

/// A user.
pub(super) async fn find(db: &Readers, id: UserId) -> Outcome<Option<User>> {
    let row = db.first(&format!("{} WHERE id = $1", select()), &[&id]).await?;
    row.as_ref().map(read).transpose()
}

/// The user with this wallet.
pub(super) async fn of_wallet(db: &Readers, provider: &str, wallet_id: &str) -> Outcome<Option<User>> {
    if !(is_storable(provider) && is_storable(wallet_id)) {
        return Ok(None);
    }
    let sql = format!("{} WHERE wallet_id = $1 AND provider = $2", select());
    db.first(&sql, &[&wallet_id, &provider]).await?.as_ref().map(read).transpose()
}

/// At most `limit` users after `after`, ordered by id.
pub(super) async fn list(
    db: &Readers,
    filter: &UserFilter,
    after: Option<UserId>,
    limit: usize,
) -> Outcome<Vec<User>> {
    let mut texts = [&filter.provider, &filter.wallet_id, &filter.role].into_iter().flatten();
    if !texts.all(|text| is_storable(text)) {
        return Ok(Vec::new());
    }
    let limit = Count(limit as u64);
    let (sql, values) = Conditions::default()
        .and("provider = ?", filter.provider.as_ref())
        .and("wallet_id = ?", filter.wallet_id.as_ref())
        .and("? = ANY (roles)", filter.role.as_ref())
        .and("disabled = ?", filter.disabled.as_ref())
        .and("id > ?", after.as_ref())
        .into_query(&select(), " ORDER BY id LIMIT ?", &limit);
    read_all(&db.all_once(&sql, &values).await?, read)
}

/// Counts a login, and takes the proof from `user`; adds the user if they were not `known_as` any revision.
/// [`StoreError::Conflict`]: the user has changed since the caller read them.
pub(super) async fn log_in(
    db: &Transaction<'_>,
    user: &User,
    known_as: Option<Revision>,
    at: Timestamp,
) -> Outcome<()> {
    let Some(known_as) = known_as else {
        return insert(db, &User { last_login: at, logins: 1, ..user.clone() }).await;
    };
    let sql = "UPDATE users SET auth_method = $3, auth_identifier = $4, revision = $5, last_login = $6,
            logins = logins + 1
        WHERE id = $1 AND revision = $2 AND NOT disabled";
    let (revision, known_as) = (Count(user.revision), Count(known_as));
    let changed =
        db.run(sql, &[&user.id, &known_as, &user.auth_method, &user.auth_identifier, &revision, &at]).await?;
    if changed > 0 { Ok(()) } else { Err(StoreError::Conflict.into()) }
}

/// Replaces the previous revision by `user`, except for the fields that logins change. Returns `false` if that revision
/// does not exist.
pub(super) async fn change(db: &Transaction<'_>, user: &User) -> Outcome<bool> {
    let sql = "UPDATE users SET provider = $2, wallet_id = $3, auth_method = $4, auth_identifier = $5, username = $6,
            email = $7, roles = $8, permissions = $9, disabled = $10, revision = $11
        WHERE id = $1 AND revision = $11::bigint - 1";
    let changed = db
        .run(
            sql,
            &[
                &user.id,
                &user.provider,
                &user.wallet_id,
                &user.auth_method,
                &user.auth_identifier,
                &user.username,
                &user.email,
                &user.roles,
                &user.permissions,
                &user.disabled,
                &Count(user.revision),
            ],
        )
        .await?;
    Ok(changed > 0)
}

/// Locks a user until the end of the transaction. Returns `false` if the user does not exist, with this revision if one
/// is given.
pub(super) async fn lock(db: &Transaction<'_>, id: UserId, revision: Option<Revision>) -> Outcome<bool> {
    let sql = "SELECT 1 FROM users WHERE id = $1 AND revision = coalesce($2, revision) FOR UPDATE";
    Ok(db.first(sql, &[&id, &revision.map(Count)]).await?.is_some())
}

/// Deletes a user; their sessions were deleted before.
pub(super) async fn delete(db: &Transaction<'_>, id: UserId) -> Outcome<()> {
    db.run("DELETE FROM users WHERE id = $1", &[&id]).await?;
    Ok(())
}

/// Deletes users who last logged in before `before`, have no session left, and were never changed by an operator (they
/// still have their first revision). Adds an audit record for each.
pub(super) async fn purge(
    db: &Transaction<'_>,
    before: Timestamp,
    limit: Count,
    at: Timestamp,
) -> Outcome<u64> {
    let sql = "DELETE FROM users WHERE id = ANY (ARRAY
        (SELECT id FROM users WHERE revision = 1 AND last_login < $1 AND logins > 0
         AND roles = '{}' AND permissions = '{}' AND username IS NULL AND email IS NULL AND NOT disabled
         AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.user_id = users.id)
         ORDER BY last_login LIMIT $2 FOR UPDATE SKIP LOCKED))
        RETURNING id, provider, wallet_id";
    let gone = db.all(sql, &[&before, &limit]).await?;
    let told = read_all(&gone, |row| {
        let (provider, wallet_id) = (get(row, "provider")?, get(row, "wallet_id")?);
        Ok(AuditDraft::of_unused(get(row, "id")?, provider, wallet_id, at))
    })?;
    audit::record(db, &told).await?;
    Ok(gone.len() as u64)
}

/// Adds a user unchanged. [`StoreError::Conflict`]: the wallet has a user already.
pub(super) async fn insert(db: &Transaction<'_>, user: &User) -> Outcome<()> {
    let sql =
        "INSERT INTO users (id, provider, wallet_id, auth_method, auth_identifier, username, email, roles,
            permissions, disabled, revision, created_at, last_login, logins)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    db.run(
        sql,
        &[
            &user.id,
            &user.provider,
            &user.wallet_id,
            &user.auth_method,
            &user.auth_identifier,
            &user.username,
            &user.email,
            &user.roles,
            &user.permissions,
            &user.disabled,
            &Count(user.revision),
            &user.created_at,
            &user.last_login,
            &Count(user.logins),
        ],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Outcome<User> {
    read_after(row, 0)
}

/// Reads a user from the columns after the first `others`.
pub(super) fn read_after(row: &Row, others: usize) -> Outcome<User> {
    let (Count(revision), Count(logins)) = (get(row, others + 10)?, get(row, others + 13)?);
    Ok(User {
        id: get(row, others)?,
        provider: get(row, others + 1)?,
        wallet_id: get(row, others + 2)?,
        auth_method: get(row, others + 3)?,
        auth_identifier: get(row, others + 4)?,
        username: get(row, others + 5)?,
        email: get(row, others + 6)?,
        roles: get(row, others + 7)?,
        permissions: get(row, others + 8)?,
        disabled: get(row, others + 9)?,
        revision,
        created_at: get(row, others + 11)?,
        last_login: get(row, others + 12)?,
        logins,
    })
}
