//! Statements on one connection. Each is prepared once a connection.

use std::fmt::Display;

use deadpool_postgres::{ClientWrapper, StatementCache};
use tokio_postgres::row::RowIndex;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{Client, Row};

use super::failure::{Failure, Outcome};

/// Values of a statement, in the order of `$1`, `$2` …
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection, in a transaction or not.
#[derive(Clone, Copy)]
pub(super) struct Db<'a> {
    client: &'a Client,
    prepared: &'a StatementCache,
}

impl<'a> Db<'a> {
    /// The statements of this connection.
    pub(super) fn on(connection: &'a ClientWrapper) -> Self {
        Self { client: connection, prepared: &connection.statement_cache }
    }

    /// The statements of a transaction.
    pub(super) fn within(transaction: &'a deadpool_postgres::Transaction<'_>) -> Self {
        Self { client: transaction.client(), prepared: &transaction.statement_cache }
    }

    /// All rows of a query.
    pub(super) async fn all(self, sql: &str, values: Values<'_>) -> Outcome<Vec<Row>> {
        let statement = self.prepared.prepare(self.client, sql).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    /// The rows of a query that is too rare and of too many forms to stay prepared.
    pub(super) async fn all_once(self, sql: &str, values: Values<'_>) -> Outcome<Vec<Row>> {
        Ok(self.client.query(sql, values).await?)
    }

    /// The row of a query that has one at most.
    pub(super) async fn first(self, sql: &str, values: Values<'_>) -> Outcome<Option<Row>> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// Runs a statement. Returns how many rows it changed.
    pub(super) async fn run(self, sql: &str, values: Values<'_>) -> Outcome<u64> {
        let statement = self.prepared.prepare(self.client, sql).await?;
        Ok(self.client.execute(&statement, values).await?)
    }
}

/// The value of a column, by its name or place.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: impl RowIndex + Display + Copy) -> Outcome<T> {
    row.try_get(column).map_err(|error| Failure::damaged(&column, &error))
}

/// The rows as values.
pub(super) fn read_all<T>(rows: &[Row], read: impl Fn(&Row) -> Outcome<T>) -> Outcome<Vec<T>> {
    rows.iter().map(read).collect()
}

/// Whether the database can store this text. PostgreSQL cannot store NUL, so no row has such a text.
pub(super) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}
