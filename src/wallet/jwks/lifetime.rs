//! How long an answer of a web server is fresh (RFC 9111 §4.2), within Portico's bounds.

use std::time::Duration;

use hyper::header::{AGE, CACHE_CONTROL, HeaderMap};

/// Portico does not ask more often than this, whatever the server says.
const SHORTEST: Duration = Duration::from_secs(60);

/// A key that its issuer withdrew is trusted no longer than this, whatever the issuer said before.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The default if the server says nothing.
const UNSAID: Duration = Duration::from_secs(10 * 60);

/// How long the answer with these headers is fresh.
pub(super) fn lifetime(headers: &HeaderMap) -> Duration {
    let mut lifetime = UNSAID;
    for line in headers.get_all(CACHE_CONTROL) {
        for directive in line.to_str().unwrap_or_default().split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return SHORTEST,
                "max-age" => {
                    let secs = value.trim().trim_matches('"').parse().unwrap_or(0);
                    lifetime = Duration::from_secs(secs);
                }
                _ => {}
            }
        }
    }
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    lifetime.saturating_sub(Duration::from_secs(age)).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_word_counts_within_a_minute_and_a_day() {
        for (cache_control, age, secs) in [
            (None, None, 600),
            (Some("public, max-age=3600"), None, 3600),
            (Some("max-age=3600"), Some("600"), 3000),
            (Some("Max-Age=\"120\", must-revalidate"), None, 120),
            (Some("max-age=0"), None, 60),
            (Some("max-age=soon"), None, 60),
            (Some("max-age=31536000"), None, 24 * 3600),
            (Some("max-age=3600, no-store"), None, 60),
            (Some("max-age=60"), Some("18446744073709551615"), 60),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = cache_control {
                headers.insert(CACHE_CONTROL, value.parse().unwrap());
            }
            if let Some(value) = age {
                headers.insert(AGE, value.parse().unwrap());
            }
            assert_eq!(lifetime(&headers).as_secs(), secs, "{cache_control:?} {age:?}");
        }
    }
}
