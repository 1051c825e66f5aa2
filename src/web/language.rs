//! The language of the page: what the app asked for (`ui_locales`), else what the browser prefers.

use axum::http::{HeaderMap, header};

use super::texts::{ALL, Texts};

/// The first of these locales that the page has, by its two letters. Locales are separated by blanks (OpenID Connect
/// Core §3.1.2.1), the best first.
pub(super) fn asked(ui_locales: &str) -> Option<&'static str> {
    ui_locales.split(' ').find_map(known)
}

/// The texts for this browser.
pub(super) fn texts(asked: Option<&str>, headers: &HeaderMap) -> &'static Texts {
    let code = asked.and_then(known).or_else(|| preferred(headers)).unwrap_or("en");
    ALL.iter().find(|texts| texts.code == code).unwrap_or(&ALL[0])
}

/// The language of a locale such as `de`, `de-AT` or `de_AT`, if the page has it.
fn known(locale: &str) -> Option<&'static str> {
    let language = locale.split(['-', '_']).next().unwrap_or_default();
    ALL.iter().map(|texts| texts.code).find(|code| code.eq_ignore_ascii_case(language))
}

/// The language with the highest weight in `Accept-Language` (RFC 9110 §12.5.4).
fn preferred(headers: &HeaderMap) -> Option<&'static str> {
    let lines = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    let mut best: Option<(u16, &'static str)> = None;
    for item in lines.flat_map(|line| line.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let Some(code) = parts.next().and_then(known) else { continue };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
        let weight = (weight.filter(|q: &f32| (0.0..=1.0).contains(q)).unwrap_or(0.0) * 1_000.0) as u16;
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, code));
        }
    }
    best.map(|(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(ui_locales: &str, accept: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
        texts(asked(ui_locales), &headers).code
    }

    #[test]
    fn the_app_decides_then_the_browser_and_else_it_is_english() {
        for (ui_locales, accept, expected) in [
            ("de", "fr", "de"),
            ("xx pt-BR en", "fr", "pt"),
            ("ja_JP", "", "ja"),
            ("", "fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"),
            ("", "xx, en;q=0.3, it;q=0.8", "it"),
            ("", "es;q=0, zh-Hans-CN;q=0.1", "zh"),
            ("", "de;q=2, en;q=0.1", "en"),
            ("xx", "yy", "en"),
            ("../../etc", "\"><script>", "en"),
        ] {
            assert_eq!(chosen(ui_locales, accept), expected, "{ui_locales:?} {accept:?}");
        }
    }
}
