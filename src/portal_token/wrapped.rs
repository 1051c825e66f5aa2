//! Detects characters that people put around a token by accident.

/// A description (`it …`) of the characters around or within this text that are not part of a token; `None` if there
/// are none. It is part of the error for a token that cannot be read. Portico does not remove such characters,
/// because then nobody would notice the mistake.
pub fn wrapped(text: &str) -> Option<String> {
    let is_quote = |c: char| matches!(c, '"' | '\'' | '`' | '“' | '”');
    let outer = text.trim();
    if outer.is_empty() {
        return Some("it is empty".into());
    }
    let inner = outer.trim_matches(is_quote).trim();
    let word = inner.split(char::is_whitespace).next().unwrap_or_default().to_ascii_lowercase();
    let scheme = match word.as_str() {
        "bearer" | "bearer:" => Some("it begins with \"Bearer\""),
        "authorization:" => Some("it begins with \"Authorization:\""),
        _ => None,
    };
    let is_broken = scheme.is_none() && word != "nostr" && inner.contains(char::is_whitespace);
    let found = [
        scheme,
        outer.contains(is_quote).then_some("it contains quotes"),
        (outer != text).then_some("it has blanks or a line break around it"),
        is_broken.then_some("it has blanks or a line break in it"),
    ];
    let found: Vec<_> = found.into_iter().flatten().collect();
    (!found.is_empty()).then(|| format!("{}; give the token alone", found.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_token_is_named() {
        for (text, named) in [
            ("Bearer e.y.J", &["\"Bearer\""][..]),
            ("bearer  e.y.J", &["\"Bearer\""]),
            ("BEARER\te.y.J", &["\"Bearer\""]),
            ("Bearer: e.y.J", &["\"Bearer\""]),
            ("Authorization: Bearer e.y.J", &["\"Authorization:\""]),
            ("\"e.y.J\"", &["quotes"]),
            ("'e.y.J'", &["quotes"]),
            ("e.y.J\n", &["around"]),
            (" e.y.J", &["around"]),
            ("e.y.\r\nJ", &["in it"]),
            ("\"Bearer e.y.J\"\n", &["\"Bearer\"", "quotes", "around"]),
            ("", &["empty"]),
            (" \n", &["empty"]),
        ] {
            let told = wrapped(text).unwrap_or_default();
            assert!(named.iter().all(|word| told.contains(word)), "{text:?}: {told}");
        }
    }

    #[test]
    fn of_what_stands_alone_nothing_is_said() {
        for text in ["e.y.J", "eyJ0", "Nostr eyJ0", "Bearere.y.J"] {
            assert_eq!(wrapped(text), None, "{text:?}");
        }
    }
}
