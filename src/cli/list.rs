//! Lists that the daemon returns page by page.

use serde_json::Value;
use url::form_urlencoded;

use super::Failure;
use super::client::Target;
use super::terminal::reader_left;

/// Entries to a page.
const PAGE: usize = 100;

/// A list in the daemon's API.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    /// The daemon.
    pub(super) target: &'a Target,
    /// The path of the list.
    pub(super) path: &'a str,
    /// The field of an answer that contains the entries.
    pub(super) entries: &'a str,
    /// Filters as query parameters; `None` filters nothing.
    pub(super) filter: &'a [(&'a str, Option<&'a str>)],
}

impl List<'_> {
    /// Calls the closure with each entry as it arrives, with at most `most` entries.
    pub(super) async fn each(&self, most: usize, mut show: impl FnMut(&Value)) -> Result<(), Failure> {
        let mut left = most;
        let mut cursor = None;
        while left > 0 && !reader_left() {
            let page = self.target.get(&self.page(left.min(PAGE), cursor.as_deref())).await?;
            let entries = page[self.entries].as_array().map(Vec::as_slice).unwrap_or_default();
            entries.iter().take(left).for_each(&mut show);
            left = left.saturating_sub(entries.len());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        Ok(())
    }

    fn page(&self, limit: usize, cursor: Option<&str>) -> String {
        let start = format!("{}?limit={limit}", self.path);
        let mut query = form_urlencoded::Serializer::for_suffix(start, self.path.len() + 1);
        for (name, value) in self.filter.iter().copied().chain([("cursor", cursor)]) {
            query.extend_pairs(value.map(|value| (name, value)));
        }
        query.finish()
    }
}
