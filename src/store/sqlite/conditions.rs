//! The conditions of a filter: only those that are set, so that SQLite can plan for them.

use rusqlite::ToSql;

/// A growing `WHERE` clause, with its values in the order of their `?`.
#[derive(Default)]
pub(super) struct Conditions<'a> {
    sql: String,
    values: Vec<&'a dyn ToSql>,
}

impl<'a> Conditions<'a> {
    /// Adds `condition`, which has one `?`, if there is a value for it.
    pub(super) fn and(mut self, condition: &str, value: Option<&'a impl ToSql>) -> Self {
        if let Some(value) = value {
            self.sql.push_str(if self.values.is_empty() { " WHERE " } else { " AND " });
            self.sql.push_str(condition);
            self.values.push(value);
        }
        self
    }

    /// The query between `select` and `rest`, which has one `?` too, and all values.
    pub(super) fn into_query(
        mut self,
        select: &str,
        rest: &str,
        value: &'a impl ToSql,
    ) -> (String, Vec<&'a dyn ToSql>) {
        self.values.push(value);
        (format!("{select}{}{rest}", self.sql), self.values)
    }
}
