//! Explains mistakes in TOML to the operator who wrote it. It never repeats a value that could be a secret.

use super::{bounds, duration};

/// The mistake in the text, and its line.
pub(super) fn in_toml(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line_start = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let number = text.get(..line_start).unwrap_or_default().matches('\n').count() + 1;
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let twice = || error.message().contains("duplicate key").then(|| twice(text, number)).flatten();
    let bound = || beyond_bounds(text, number);
    let reason = bound().or_else(|| in_line(line)).or_else(twice).unwrap_or_else(|| said(error.message()));
    format!("line {number}: {reason}")
}

/// A count beyond TOML's range: the bounds of its key say more than that range does.
fn beyond_bounds(text: &str, number: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(number).map(without_comment).collect();
    let (name, value) = lines.last()?.split_once('=')?;
    let section = lines.iter().rfind(|line| line.starts_with('['));
    let section = section.map_or("", |header| header.trim_matches(['[', ']', ' ']));
    let key = format!("{section}.{}", name.trim());
    let rule =
        bounds::rule_of_count(key.trim_start_matches('.')).filter(|_| is_beyond_integers(value.trim()))?;
    Some(format!("{}: {rule}", name.trim()))
}

/// A section or key that an earlier line already has.
fn twice(text: &str, number: usize) -> Option<String> {
    let earlier: Vec<&str> = text.lines().take(number).map(without_comment).collect();
    let (line, earlier) = earlier.split_last()?;
    if line.starts_with('[') {
        let first = earlier.iter().position(|other| other == line)? + 1;
        return Some(format!("line {first} already begins the section {line}: write its keys there"));
    }
    let key =
        |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned()).filter(|key| is_key(key));
    let name = key(line)?;
    let section = earlier.iter().rposition(|other| other.starts_with('[')).map_or(0, |at| at + 1);
    let first = earlier[section..].iter().position(|other| key(other).as_ref() == Some(&name))?;
    Some(format!("line {} already sets {name}: remove one of them", section + first + 1))
}

/// The mistake in a list of relays that does not use `[[relay]]`.
pub(super) fn in_relays(text: &str) -> Option<String> {
    text.lines().enumerate().find_map(|(at, line)| {
        let line: String = without_comment(line).split_whitespace().collect();
        let name = line.trim_matches(['[', ']']);
        let is_header = line.starts_with('[') && ["relay", "relays"].contains(&name);
        let how = if is_header && line != "[[relay]]" {
            match (line.starts_with("[["), name) {
                (true, "relay") => return None,
                (true, _) => "write [[relay]], without s",
                (false, "relay") => "write [[relay]], with two brackets",
                (false, _) => "write [[relay]], with two brackets and without s",
            }
        } else if line.starts_with("relay=") || line.starts_with("relays=") {
            "write each relay as [[relay]], with its url in the next line"
        } else {
            return None;
        };
        Some(format!("line {}: {how}", at + 1))
    })
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

/// The line of a key, named as `section.key`, if this text has it.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let document = toml_edit::Document::parse(text).ok()?;
    let (mut table, mut start) = (document.as_table() as &dyn toml_edit::TableLike, None);
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        let Some((name, item)) = table.get_key_value(part) else { break };
        start = item.span().or_else(|| name.span()).map(|span| span.start).or(start);
        match item.as_table_like() {
            Some(inner) if parts.peek().is_some() => table = inner,
            _ => break,
        }
    }
    Some(text.get(..start?)?.matches('\n').count() + 1)
}

/// Mistakes that come from other formats.
fn in_line(line: &str) -> Option<String> {
    let line = line.trim();
    if line.starts_with('[') {
        return (!line.split('#').next()?.trim_end().ends_with(']'))
            .then(|| "write a section as [name]".into());
    }
    let Some((key, value)) = line.split_once('=') else {
        return Some(match line.split_once(':') {
            Some((key, _)) if is_key(key) => format!("{}: write = between key and value, not :", key.trim()),
            _ => "expected key = value, or a [section]".into(),
        });
    };
    if !is_key(key) {
        return None;
    }
    let (key, value) = (key.trim(), value.trim());
    in_mode(key, value).or_else(|| in_value(value)).map(|reason| format!("{key}: {reason}"))
}

/// A file mode is not a secret, and TOML has no numbers with a leading zero.
fn in_mode(key: &str, value: &str) -> Option<String> {
    let digits = without_comment(value);
    let is_mode = digits.starts_with('0') && digits.chars().all(|c| c.is_digit(8)) && is_bare(digits);
    (key.ends_with("_mode") && is_mode).then(|| format!("write octal digits in quotes: \"{digits}\""))
}

fn is_key(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

fn in_value(value: &str) -> Option<String> {
    if let Some(quote) = value.chars().next().filter(|c| ['"', '\''].contains(c)) {
        let is_closed = value.len() > 1 && value[1..].contains(quote);
        return (!is_closed).then(|| format!("the quote {quote} is not closed in this line"));
    }
    if let Some(list) = value.strip_prefix('[') {
        let items = list.split([']', '#']).next()?.split(',');
        let bare = items.map(str::trim).find(|item| !item.is_empty() && is_bare(item))?;
        return Some(format!("write text in a list in quotes, like [\"…\"]{}", instead(bare)));
    }
    let bare = value.split('#').next()?.trim();
    if bare.is_empty() {
        return Some("the value is missing".into());
    }
    if is_beyond_integers(bare) {
        return Some(format!("a whole number must be from {} to {}", i64::MIN, i64::MAX));
    }
    is_bare(bare).then(|| match bare.to_ascii_lowercase().as_str() {
        "yes" | "on" | "enabled" | "true" => format!("{bare} must be written true, without quotes"),
        "no" | "off" | "disabled" | "false" => format!("{bare} must be written false, without quotes"),
        "none" | "null" | "nil" => format!("TOML has no {bare}: leave the key out"),
        _ if duration::parse(bare).is_some() => format!("write a duration in quotes: \"{bare}\""),
        _ => "write text in quotes, like \"…\"".into(),
    })
}

/// Whether this is a whole number beyond TOML's range.
fn is_beyond_integers(value: &str) -> bool {
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    let is_whole = digits.starts_with(|c: char| ('1'..='9').contains(&c))
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '_');
    is_whole && value.replace('_', "").parse::<i64>().is_err()
}

/// A duration is not a secret: this shows how to write it.
fn instead(bare: &str) -> String {
    if duration::parse(bare).is_some() { format!(": \"{bare}\"") } else { String::new() }
}

/// Whether a value is not a TOML value.
fn is_bare(value: &str) -> bool {
    let is_other = value.starts_with(['"', '\'', '[', '{']);
    !is_other && format!("value = {value}").parse::<toml::Table>().is_err()
}

/// The library's message, without its quotes, and without the value that it found, which may be a secret.
fn said(message: &str) -> String {
    let message = message.replace('`', "").replace('\n', ", ");
    match message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((_, wanted)) => format!("the value must be {}", super::error::described(wanted)),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str) -> String {
        in_toml(text, &toml::from_str::<toml::Table>(text).unwrap_err())
    }

    #[test]
    fn what_other_formats_allow_is_answered_with_how_toml_writes_it() {
        for (line, expected) in [
            ("enabled = yes", "line 2: enabled: yes must be written true, without quotes"),
            ("enabled = On  # please", "line 2: enabled: On must be written true, without quotes"),
            ("enabled = False", "line 2: enabled: False must be written false, without quotes"),
            ("enabled = off", "line 2: enabled: off must be written false, without quotes"),
            ("secret = null", "line 2: secret: TOML has no null: leave the key out"),
            ("keep = 30d", "line 2: keep: write a duration in quotes: \"30d\""),
            ("keep = 1h 30m", "line 2: keep: write a duration in quotes: \"1h 30m\""),
            ("keep = 30days", "line 2: keep: write a duration in quotes: \"30days\""),
            ("listen = 127.0.0.1:3000", "line 2: listen: write text in quotes, like \"…\""),
            ("url = https://a.example", "line 2: url: write text in quotes, like \"…\""),
            ("hosts = [a.example, \"b\"]", "line 2: hosts: write text in a list in quotes, like [\"…\"]"),
            ("listen = \"127.0.0.1:3000", "line 2: listen: the quote \" is not closed in this line"),
            (
                "port = 18446744073709551615",
                "line 2: port: a whole number must be from -9223372036854775808 to 9223372036854775807",
            ),
            (
                "max_per_user = 9_223_372_036_854_775_808 # many",
                "line 2: max_per_user: must be from 1 to 1000000000",
            ),
            ("listen =", "line 2: listen: the value is missing"),
            ("enabled: true", "line 2: enabled: write = between key and value, not :"),
            ("enabled", "line 2: expected key = value, or a [section]"),
            ("[auth", "line 2: write a section as [name]"),
            ("socket_mode = 0660", "line 2: socket_mode: write octal digits in quotes: \"0660\""),
            ("socket_mode = 0600 # mine", "line 2: socket_mode: write octal digits in quotes: \"0600\""),
            (
                "[sessions] # again",
                "line 2: line 1 already begins the section [sessions]: write its keys there",
            ),
            ("y = 1\ny = 2", "line 3: line 2 already sets y: remove one of them"),
            ("local.keep = 5m", "line 2: local.keep: write a duration in quotes: \"5m\""),
        ] {
            assert_eq!(explained(&format!("[sessions]\n{line}\nx = 1\n")), expected);
        }
    }

    #[test]
    fn a_count_beyond_every_integer_is_refused_with_the_bounds_of_its_key() {
        for (text, expected) in [
            ("[relays]\nmax_relays = -18446744073709551615", "line 2: max_relays: must be from 0 to 10000"),
            (
                "relays.max_relays = 18446744073709551615",
                "line 1: relays.max_relays: must be from 0 to 10000",
            ),
            (
                "[webhook]\n[ relays ] # x\nmax_relays = 18446744073709551615",
                "line 3: max_relays: must be from 0 to 10000",
            ),
            (
                "[wallets.thirdweb]\nmax_open_payloads = 18446744073709551615",
                "line 2: max_open_payloads: must be from 1 to 1000000000",
            ),
        ] {
            assert_eq!(explained(text), expected);
        }
    }

    #[test]
    fn a_mistake_of_another_kind_is_told_as_the_library_does() {
        let twice = explained("\"a b\" = 1\n\"a b\" = 2\n");
        assert!(twice.starts_with("line 2: duplicate key"), "{twice}");
        let elsewhere = explained("[a]\nx = 1\n[b]\nx = 1\nx = 2\n");
        assert!(elsewhere.starts_with("line 5: line 4 already sets x"), "{elsewhere}");
    }

    #[test]
    fn a_secret_that_was_written_without_quotes_is_not_repeated() {
        for secret in
            ["hunter2", "h=unter2", "12hunter2", "\"hunter2", "[hunter2]", "hunter2]", "[\"hunter2]"]
        {
            let error = explained(&format!("token = {secret}\n"));
            assert!(!error.contains("unter"), "{secret}: {error}");
        }
    }

    #[test]
    fn a_key_is_found_wherever_toml_lets_it_stand() {
        let text = "local.listen = 1\n\n[sessions]\n# enabled\nenabled = 1\n[wallets.jwks]\nissuer = 1\n\
                    [auth]\nmax = [\n 1,\n]\ninner = { a = 1 }\n";
        for (key, line) in [
            ("local.listen", 1),
            ("sessions.enabled", 5),
            ("wallets.jwks.issuer", 7),
            ("auth.max", 9),
            ("auth.inner.a", 12),
            ("sessions.nothing", 3),
        ] {
            assert_eq!(line_of(text, key), Some(line), "{key}");
        }
        assert_eq!(line_of(text, "nothing.here"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, key: String) {
            if let Err(error) = toml::from_str::<toml::Table>(&text) {
                let _ = in_toml(&text, &error);
            }
            let _ = in_relays(&text);
            let _ = twice(&text, 3);
            let _ = in_line(&text);
            let _ = line_of(&text, &key);
        }
    }
}
