//! The cookies of the operator's page.
//!
//! Browsers send a cookie to every port of its host (RFC 6265 §8.5). So a cookie alone opens nothing here: it belongs to
//! a key that only the page's own origin knows. The name has a part of the service's key, so that two daemons on one
//! host do not sign each other's operators out.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::api::Api;

/// How many cookies of one name are looked at. Other ports of the host can set more.
const MOST: usize = 8;

/// The name of the cookie of a session.
pub(super) fn session_name(api: &Api) -> String {
    format!("portico_ui_{}", tag(api))
}

/// The name of the cookie of a login with a wallet that is in progress.
pub(super) fn login_name(api: &Api) -> String {
    format!("portico_ui_login_{}", tag(api))
}

fn tag(api: &Api) -> String {
    let mut key = api.portal.public_key().to_hex();
    key.truncate(8);
    key
}

/// The values of the cookies with this name.
pub(super) fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(known, _)| *known == name).map(|(_, value)| value).take(MOST)
}

/// The field that sets a cookie for the page alone, for this long. No time: it is deleted.
pub(super) fn set(name: &str, value: &str, lasts: Duration, is_over_tls: bool) -> Option<HeaderValue> {
    let secure = if is_over_tls { "; Secure" } else { "" };
    let seconds = lasts.as_secs();
    let line = format!("{name}={value}; Path=/ui/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&line).ok()
}
