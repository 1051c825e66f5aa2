//! The audit: who did what.

use tokio_postgres::Row;

use super::columns::Count;
use super::conditions::Conditions;
use super::failure::Outcome;
use super::query::{get, read_all};
use super::readers::Readers;
use super::transaction::Transaction;
use super::witness::Witness;
use crate::store::{AuditDraft, AuditFilter, AuditRecord};

/// One statement for any number of records, numbered in their order.
const RECORD: &str = "INSERT INTO audit
        (at, kind, user_id, session, provider, wallet_id, reason, detail, actor, done_by)
    SELECT at, kind, user_id, session, provider, wallet_id, reason, detail, actor, $10
    FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[])
        WITH ORDINALITY AS draft (at, kind, user_id, session, provider, wallet_id, reason, detail, actor, place)
    ORDER BY place RETURNING number";

/// Adds records.
pub(super) async fn record(db: &Transaction<'_>, drafts: &[AuditDraft]) -> Outcome<()> {
    if drafts.is_empty() {
        return Ok(());
    }
    let added = db
        .all(
            RECORD,
            &[
                &column(drafts, |draft| draft.at),
                &column(drafts, |draft| draft.kind),
                &column(drafts, |draft| draft.user),
                &column(drafts, |draft| draft.session),
                &column(drafts, |draft| draft.provider.as_deref()),
                &column(drafts, |draft| draft.wallet_id.as_deref()),
                &column(drafts, |draft| draft.reason.as_deref()),
                &column(drafts, |draft| draft.detail.as_deref()),
                &column(drafts, |draft| draft.actor.as_str()),
                &db.done_by(),
            ],
        )
        .await?;
    if let Some(row) = added.first() {
        let Count(number) = get(row, "number")?;
        db.note(Witness::Audit(number));
    }
    Ok(())
}

fn column<'a, T>(drafts: &'a [AuditDraft], field: impl Fn(&'a AuditDraft) -> T) -> Vec<T> {
    drafts.iter().map(field).collect()
}

/// At most `limit` records before number `before`, the latest first.
pub(super) async fn list(
    db: &Readers,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: usize,
) -> Outcome<Vec<AuditRecord>> {
    let (before, limit) = (before.map(Count), Count(limit as u64));
    let (sql, values) = Conditions::default()
        .and("user_id = ?", filter.user.as_ref())
        .and("session = ?", filter.session.as_ref())
        .and("kind = ?", filter.kind.as_ref())
        .and("at >= ?", filter.since.as_ref())
        .and("at < ?", filter.until.as_ref())
        .and("number < ?", before.as_ref())
        .into_query(
            "SELECT number, at, kind, user_id, session, provider, wallet_id, reason, detail, actor FROM audit",
            " ORDER BY number DESC LIMIT ?",
            &limit,
        );
    read_all(&db.all_once(&sql, &values).await?, read)
}

fn read(row: &Row) -> Outcome<AuditRecord> {
    let Count(number) = get(row, "number")?;
    let draft = AuditDraft {
        at: get(row, "at")?,
        kind: get(row, "kind")?,
        user: get(row, "user_id")?,
        session: get(row, "session")?,
        provider: get(row, "provider")?,
        wallet_id: get(row, "wallet_id")?,
        reason: get(row, "reason")?,
        detail: get(row, "detail")?,
        actor: get(row, "actor")?,
    };
    Ok(AuditRecord { number, draft })
}
