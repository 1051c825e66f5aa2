//! The conditions of a filter: only those that are set, so that PostgreSQL can plan for them.

use tokio_postgres::types::ToSql;

/// A growing `WHERE` clause, with its values in the order of `$1`, `$2` …
#[derive(Default)]
pub(super) struct Conditions<'a> {
    sql: String,
    values: Vec<&'a (dyn ToSql + Sync)>,
}

impl<'a> Conditions<'a> {
    /// Adds `condition`, which has one `?`, if there is a value for it.
    pub(super) fn and<T: ToSql + Sync>(mut self, condition: &str, value: Option<&'a T>) -> Self {
        if let Some(value) = value {
            self.sql.push_str(if self.values.is_empty() { " WHERE " } else { " AND " });
            self.values.push(value);
            self.sql.push_str(&condition.replace('?', &format!("${}", self.values.len())));
        }
        self
    }

    /// The query between `select` and `rest`, which has one `?` too, and all values.
    pub(super) fn into_query<T: ToSql + Sync>(
        mut self,
        select: &str,
        rest: &str,
        value: &'a T,
    ) -> (String, Vec<&'a (dyn ToSql + Sync)>) {
        self.values.push(value);
        let rest = rest.replace('?', &format!("${}", self.values.len()));
        (format!("{select}{}{rest}", self.sql), self.values)
    }
}
