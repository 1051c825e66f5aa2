//! `[[web.app]]`: the web apps that send people to the page.

use serde::Deserialize;
use url::Url;

use super::is_safe;
use super::looks::check_name;
use crate::config::SessionRules;
use crate::config::mistakes::InSection;
use crate::config::sections::local::{RawAccount, uid_of};
use crate::config::sections::written::one_or_more;
use crate::quoted::{misleads, quoted};
use crate::shown;

/// The longest id of an app, and the longest return URL, in bytes.
const MAX_ID: usize = 64;
const MAX_URL: usize = 2048;

/// Parameters that Portico adds to a return URL.
const OURS: [&str; 3] = ["code", "state", "error"];

/// `[[web.app]]`: a web app.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawWebApp {
    id: String,
    name: Option<String>,
    #[serde(deserialize_with = "one_or_more")]
    return_urls: Vec<String>,
    #[serde(default)]
    sessions: bool,
    #[serde(default)]
    uids: Vec<RawAccount>,
    #[serde(default, deserialize_with = "one_or_more")]
    tokens: Vec<String>,
}

/// `[[web.app]]`: a web app that sends people to the sign-in page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebApp {
    /// Its id in URLs and in `POST /web/redeem`.
    pub id: String,
    /// Its name on the page.
    pub name: String,
    /// The URLs that the page may return to, compared exactly.
    pub return_urls: Vec<String>,
    /// The users that may redeem its codes on the Unix socket.
    pub uids: Vec<u32>,
    /// The names of the API tokens that may redeem its codes. With neither: every caller with the right `login`.
    pub tokens: Vec<String>,
}

/// Checks all apps.
pub(super) fn check_apps(
    raw: Vec<RawWebApp>,
    sessions: &SessionRules,
    wrong: &mut InSection<'_>,
) -> Vec<WebApp> {
    if raw.is_empty() {
        wrong.add_missing("app", "describe each web app in a [[web.app]]");
    }
    let mut apps: Vec<WebApp> = Vec::new();
    for (at, app) in raw.into_iter().enumerate() {
        let mut wrong = wrong.entry("app", at);
        if apps.iter().any(|other| other.id == app.id) {
            wrong.add("id", format!("another app has the id {:?}", app.id));
        }
        apps.push(check_app(app, sessions, &mut wrong));
    }
    apps
}

fn check_app(raw: RawWebApp, sessions: &SessionRules, wrong: &mut InSection<'_>) -> WebApp {
    let RawWebApp { id, name, return_urls, sessions: needs_sessions, uids, tokens } = raw;
    wrong.keep("id", check_id(&id));
    if needs_sessions && !sessions.enabled {
        wrong.add("sessions", "is true, but sessions.enabled is false");
    }
    let name = name.unwrap_or_else(|| id.clone());
    wrong.keep("name", check_name(&name));
    if return_urls.is_empty() {
        wrong.add("return_urls", "is empty: list the URLs that people return to");
    }
    wrong.keep_each("return_urls", &return_urls, |url| check_return_url(url));
    wrong.keep_each("tokens", &tokens, |token| check_token(token));
    let uids = wrong.keep_each("uids", uids, uid_of);
    WebApp { id, name, return_urls, uids, tokens }
}

fn check_id(id: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !id.is_empty() && id.len() <= MAX_ID && id.chars().all(is_plain) {
        return Ok(());
    }
    Err(format!("{} must have 1 to {MAX_ID} letters, digits, -, _ or .", quoted(id)))
}

fn check_token(name: &str) -> Result<(), &'static str> {
    let is_name = !name.is_empty() && !name.chars().any(misleads);
    is_name.then_some(()).ok_or("must be the name of an API token, like \"shop\"")
}

fn check_return_url(text: &str) -> Result<(), String> {
    // Compared as text, so it must be written as it is sent.
    let Some(url) = Url::parse(text).ok().filter(|url| url.as_str() == text) else {
        return Err("must be a URL like https://app.example/signed-in, as browsers write it".into());
    };
    let known = |name: &str| OURS.iter().copied().find(|ours| *ours == name);
    if text.len() > MAX_URL {
        Err(format!("must be at most {MAX_URL} bytes long"))
    } else if !is_safe(&url) {
        Err(format!("{} must begin with https (http only for localhost)", shown::refused(text)))
    } else if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        Err("must not contain a user, a password or a fragment".into())
    } else if let Some(ours) = url.query_pairs().find_map(|(name, _)| known(&name)) {
        Err(format!("must not contain the parameter {ours}, which Portico adds"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_url_is_whole_and_nobody_can_listen_on_the_way() {
        for url in [
            "https://shop.example/signed-in",
            "https://shop.example:8443/a?lang=de",
            "http://localhost:8000/back",
            "http://127.0.0.1/",
            "http://[::1]:3000/",
        ] {
            assert_eq!(check_return_url(url), Ok(()), "{url}");
        }
        for (url, told) in [
            ("http://shop.example/", "begin with https"),
            ("https://shop.example", "as browsers write it"),
            ("https://Shop.example/", "as browsers write it"),
            ("/signed-in", "as browsers write it"),
            ("//evil.example/", "as browsers write it"),
            ("https://user@shop.example/", "user, a password"),
            ("https://shop.example/#x", "fragment"),
            ("https://shop.example/?code=1", "parameter code"),
            ("javascript:alert(1)", "begin with https"),
        ] {
            assert!(check_return_url(url).unwrap_err().contains(told), "{url}");
        }
    }
}
