//! The conditions of a filter: only those that it has, so that SQLite can plan for these.

use rusqlite::ToSql;

/// A `WHERE` that grows, and its values in the order of their `?`.
#[derive(Default)]
pub(super) struct Conditions<'a> {
    sql: String,
    values: Vec<&'a dyn ToSql>,
}

impl<'a> Conditions<'a> {
    /// Asks for `condition`, which has one `?`, if there is a value for it.
    pub(super) fn and(mut self, condition: &str, value: Option<&'a impl ToSql>) -> Self {
        if let Some(value) = value {
            self.sql.push_str(if self.values.is_empty() { " WHERE " } else { " AND " });
            self.sql.push_str(condition);
            self.values.push(value);
        }
        self
    }

    /// The query between `select` and `rest`, which has one `?` too, and the values of all.
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
