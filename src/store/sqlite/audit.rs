//! The audit: who did what.

use rusqlite::{Connection, Row, params};

use super::columns::Count;
use super::conditions::Conditions;
use crate::store::{AuditDraft, AuditFilter, AuditRecord, Result};

/// Adds a record.
pub(super) fn record(db: &Connection, draft: &AuditDraft) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO audit (at, kind, user, session, provider, wallet_id, reason, detail, actor)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        draft.at,
        draft.kind,
        draft.user,
        draft.session,
        draft.provider,
        draft.wallet_id,
        draft.reason,
        draft.detail,
        draft.actor,
    ])?;
    Ok(())
}

/// At most `limit` records before number `before`, the latest first.
pub(super) fn list(
    db: &Connection,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<AuditRecord>> {
    let (before, limit) = (before.map(Count), Count(limit as u64));
    let (sql, values) = Conditions::default()
        .and("user = ?", filter.user.as_ref())
        .and("session = ?", filter.session.as_ref())
        .and("kind = ?", filter.kind.as_ref())
        .and("at >= ?", filter.since.as_ref())
        .and("at < ?", filter.until.as_ref())
        .and("number < ?", before.as_ref())
        .into_query(
            "SELECT number, at, kind, user, session, provider, wallet_id, reason, detail, actor FROM audit",
            " ORDER BY number DESC LIMIT ?",
            &limit,
        );
    // Not kept prepared: what operators ask is of many forms, and rare.
    let mut query = db.prepare(&sql)?;
    Ok(query.query_map(values.as_slice(), read)?.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditRecord> {
    let Count(number) = row.get("number")?;
    let draft = AuditDraft {
        at: row.get("at")?,
        kind: row.get("kind")?,
        user: row.get("user")?,
        session: row.get("session")?,
        provider: row.get("provider")?,
        wallet_id: row.get("wallet_id")?,
        reason: row.get("reason")?,
        detail: row.get("detail")?,
        actor: row.get("actor")?,
    };
    Ok(AuditRecord { number, draft })
}
