//! The last known state of the wall clock.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::Count;
use crate::clock::ClockSeen;
use crate::store::Result;

/// The stored state, if any.
pub(super) fn seen(db: &Connection) -> Result<Option<ClockSeen>> {
    let mut query = db.prepare_cached("SELECT highest, settled, steady_for FROM clock")?;
    let seen = query.query_row([], |row| {
        let Count(steady_for) = row.get("steady_for")?;
        let steady_for = Duration::from_millis(steady_for);
        Ok(ClockSeen { highest: row.get("highest")?, settled: row.get("settled")?, steady_for })
    });
    Ok(seen.optional()?)
}

/// Replaces the stored state.
pub(super) fn keep(db: &Connection, seen: &ClockSeen) -> Result<()> {
    let steady_for = Count(seen.steady_for.as_millis() as u64);
    db.prepare_cached(
        "INSERT INTO clock (only, highest, settled, steady_for) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (only) DO UPDATE SET highest = ?1, settled = ?2, steady_for = ?3",
    )?
    .execute(params![seen.highest, seen.settled, steady_for])?;
    Ok(())
}
