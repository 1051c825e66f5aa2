//! Explains mistakes in TOML to the operator who wrote it. It never repeats a value that could be a secret.

use super::document::Fault;
use super::{bounds, duration};

/// Whether these mistakes make it uncertain which key belongs to which section.
pub(super) fn are_of_structure(text: &str, faults: &[Fault]) -> bool {
    let is_pair = |line: &str| {
        let line = line.trim_start();
        !line.starts_with('[') && line.split_once('=').is_some_and(|(key, _)| is_key(key))
    };
    let mut lines = faults.iter().map(|(number, _)| text.lines().nth(number - 1).unwrap_or_default());
    lines.any(|line| !is_pair(line))
}

/// What is wrong in this line, from 1; `message` is the library's.
pub(super) fn explain(text: &str, number: usize, message: &str) -> String {
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let twice = || message.contains("duplicate key").then(|| twice(text, number)).flatten();
    let bound = || beyond_bounds(text, number);
    bound().or_else(|| in_line(line)).or_else(twice).unwrap_or_else(|| said(line, message))
}

/// A count beyond TOML's range: the bounds of its key say more than that range does.
fn beyond_bounds(text: &str, number: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(number).map(without_comment).collect();
    let (name, value) = lines.last()?.split_once('=')?;
    let section = lines.iter().rfind(|line| line.starts_with('['));
    let section = section.map_or("", |header| header.trim_matches(['[', ']', ' ']));
    let key = format!("{section}.{}", name.trim());
    let range =
        bounds::range_of_count(key.trim_start_matches('.')).filter(|_| is_beyond_integers(value.trim()))?;
    Some(format!("{}: must be {range}", name.trim()))
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
pub(super) fn in_relays(text: &str) -> Option<Fault> {
    text.lines().zip(1..).find_map(|(line, number)| {
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
        Some((number, how.to_owned()))
    })
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
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

/// A text in three quotes that is not closed, and the line in which it begins.
pub(super) fn unclosed_text(text: &str) -> Option<Fault> {
    let is_open = |quotes: &&str| text.matches(*quotes).count() % 2 == 1;
    let quotes = ["\"\"\"", "'''"].into_iter().find(is_open)?;
    let begins = text.lines().zip(1..).filter(|(line, _)| line.contains(quotes)).last();
    begins.map(|(_, number)| (number, format!("the text in three quotes ({quotes}) is not closed")))
}

/// What the library says, with the key of the line, in plain words where they are known.
fn said(line: &str, message: &str) -> String {
    let key = line.split_once('=').map(|(key, _)| key.trim()).filter(|key| !key.is_empty());
    let reason = if message.contains("duplicate key") {
        let what = if line.trim_start().starts_with('[') { "section" } else { "key" };
        format!("an earlier line already has this {what}")
    } else if message.contains("escape") {
        "a \\ in double quotes begins an escape: write \\\\, or the text in single quotes".into()
    } else if message.contains("unclosed array") {
        "the list is not closed: ] is missing".into()
    } else if message.contains("unclosed inline table") {
        "the { is not closed: } is missing".into()
    } else {
        message.replace('`', "").replace('\n', ", ")
    };
    key.map_or_else(|| reason.clone(), |key| format!("{key}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::parse;

    /// Each line with a mistake, as `line N: …`.
    fn all_explained(text: &str) -> Vec<String> {
        let faults = parse(text).1;
        assert_eq!(faults.is_empty(), toml::from_str::<toml::Table>(text).is_ok(), "{text:?}");
        faults.into_iter().map(|(line, reason)| format!("line {line}: {reason}")).collect()
    }

    fn explained(text: &str) -> String {
        all_explained(text).swap_remove(0)
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
    fn other_mistakes_are_told_with_their_key_and_without_words_of_the_library() {
        for (text, told) in [
            ("\"a b\" = 1\n\"a b\" = 2\n", "line 2: \"a b\": an earlier line already has this key"),
            ("a.b = 1\na = 2\n", "line 2: a: an earlier line already has this key"),
            ("[a]\nx = 1\n[b]\nx = 1\nx = 2\n", "line 5: line 4 already sets x: remove one of them"),
            (
                "token = \"a\\qhunter2\"\n",
                "line 1: token: a \\ in double quotes begins an escape: write \\\\, or the text in single quotes",
            ),
            ("x = [1,\n", "line 1: x: the list is not closed: ] is missing"),
            (
                "y = 1\nx = \"\"\"\nhunter2\nz = 3\n",
                "line 2: the text in three quotes (\"\"\") is not closed",
            ),
        ] {
            assert_eq!(explained(text), told, "{text:?}");
        }
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

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let faults = parse(&text).1;
            let _ = are_of_structure(&text, &faults);
            let _ = in_relays(&text);
            let _ = twice(&text, 3);
            let _ = in_line(&text);
        }
    }
}
