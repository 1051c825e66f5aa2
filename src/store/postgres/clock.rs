//! The last known state of the wall clock.

use std::time::Duration;

use super::columns::Count;
use super::failure::Outcome;
use super::query::get;
use super::readers::Readers;
use super::transaction::Transaction;
use crate::clock::ClockSeen;

/// The stored state, if any.
pub(super) async fn seen(db: &Readers) -> Outcome<Option<ClockSeen>> {
    let Some(row) = db.first("SELECT highest, settled, steady_for FROM clock", &[]).await? else {
        return Ok(None);
    };
    let Count(steady_for) = get(&row, "steady_for")?;
    let steady_for = Duration::from_millis(steady_for);
    Ok(Some(ClockSeen { highest: get(&row, "highest")?, settled: get(&row, "settled")?, steady_for }))
}

/// Replaces the stored state.
pub(super) async fn keep(db: &Transaction<'_>, seen: &ClockSeen) -> Outcome<()> {
    let steady_for = Count(seen.steady_for.as_millis() as u64);
    let sql = "INSERT INTO clock (highest, settled, steady_for) VALUES ($1, $2, $3)
        ON CONFLICT (only_row) DO UPDATE SET highest = $1, settled = $2, steady_for = $3";
    db.run(sql, &[&seen.highest, &seen.settled, &steady_for]).await?;
    Ok(())
}
