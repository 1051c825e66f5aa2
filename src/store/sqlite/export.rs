//! All rows of the file, for a move to another backend.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::{migrate, open};
use crate::store::transfer::{Column, Line, Sum, Table};
use crate::store::{Result, StoreError};

/// One moment of the file.
#[derive(Debug)]
pub struct Export(Connection);

impl Export {
    /// Opens the file, which must have the schema of this program. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path) -> Result<Self> {
        let db = open::reader(path, Duration::from_secs(5))?;
        migrate::inspect(&db, path)?;
        db.execute_batch("BEGIN")?;
        Ok(Self(db))
    }

    /// Gives all rows of a table.
    pub(in crate::store) fn rows(
        &self,
        table: &Table,
        mut give: impl FnMut(&Line) -> Result<()>,
    ) -> Result<Sum> {
        let mut sum = Sum::default();
        let mut query = self.0.prepare(&table.select())?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let mut line = Line::default();
            for (at, Column(_, _, kind)) in table.columns.iter().enumerate() {
                line.push(row.get_ref(at)?, *kind).map_err(|why| table.damaged(why))?;
            }
            sum.add(line.shown().as_bytes());
            give(&line)?;
        }
        Ok(sum)
    }

    /// The highest number that was ever given to an audit record.
    pub(in crate::store) fn last_audit_number(&self) -> Result<i64> {
        let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'audit'";
        Ok(self.0.query_row(sql, [], |row| row.get(0))?)
    }
}

/// The error if the other side has gone.
pub(in crate::store) fn abandoned() -> StoreError {
    StoreError::Unavailable("the other database takes no more rows".into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::sqlite::{SqliteOptions, SqliteStore};
    use crate::store::transfer::TABLES;

    #[test]
    fn every_column_of_every_table_moves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        drop(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
        let db = Connection::open(&path).unwrap();
        let sql = "SELECT t.name, c.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
            WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND c.name != 'only'";
        let mut query = db.prepare(sql).unwrap();
        let all: BTreeSet<(String, String)> = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<std::result::Result<_, _>>()
            .unwrap();
        let moved = TABLES.iter().flat_map(|table| {
            table.columns.iter().map(|column| (table.name.to_owned(), column.0.to_owned()))
        });
        assert_eq!(all, moved.collect());
    }
}
