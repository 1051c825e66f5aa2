//! Paged lists.

use std::str::FromStr;

use crate::http::envelope::ApiError;

const DEFAULT_LIMIT: usize = 100;

/// The most entries of a page.
const MAX_LIMIT: usize = 1_000;

/// The requested number of entries.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(ApiError::bad_request(format!("limit: must be from 1 to {MAX_LIMIT}"))),
    }
}

/// The cursor: where the previous page ended.
pub(super) fn cursor<T: FromStr>(text: Option<&str>) -> Result<Option<T>, ApiError> {
    let parsed = text.map(|text| {
        text.parse().map_err(|_| ApiError::bad_request("cursor: must be the next_cursor of an answer"))
    });
    parsed.transpose()
}
