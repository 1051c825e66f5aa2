//! Reads TOML as far as that is possible: the values, the lines with mistakes, and the line of each key.

use figment::value::{Dict, Value};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::syntax::{explain, unclosed_text};

/// A line with a mistake, from 1, and what is wrong with it.
pub(super) type Fault = (usize, String);

/// The values of a text, and all lines with mistakes in their order.
pub(super) fn parse(text: &str) -> (Dict, Vec<Fault>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults = Faults { text, found: Vec::new() };
    for error in errors {
        let start = error.span().map_or(0, |span| span.start);
        faults.add(start, error.message());
    }
    let dict = faults.dict(table.get_ref());
    let mut found = faults.found;
    found.sort_by_key(|(line, _)| *line);
    found.dedup_by_key(|(line, _)| *line);
    (dict, found)
}

struct Faults<'a> {
    text: &'a str,
    found: Vec<Fault>,
}

impl Faults<'_> {
    fn add(&mut self, at: usize, message: &str) {
        // A text that is not closed reaches the end of the file: report the line in which it begins.
        let is_end = at >= self.text.trim_end().len();
        let unclosed = is_end.then(|| unclosed_text(self.text)).flatten();
        let (line, reason) = unclosed.unwrap_or_else(|| {
            let line = line_at(self.text, at);
            (line, explain(self.text, line, message))
        });
        self.found.push((line, reason));
    }

    fn dict(&mut self, table: &DeTable<'_>) -> Dict {
        let values =
            table.iter().filter_map(|(name, value)| Some((name.get_ref().to_string(), self.value(value)?)));
        values.collect()
    }

    /// The value; `None`: no key can have such a value, which is noted.
    fn value(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let at = value.span().start;
        let read = match value.get_ref() {
            DeValue::String(text) => return Some(Value::from(text.to_string())),
            DeValue::Boolean(flag) => return Some(Value::from(*flag)),
            DeValue::Array(list) => {
                return Some(Value::from(
                    list.iter().filter_map(|value| self.value(value)).collect::<Vec<_>>(),
                ));
            }
            DeValue::Table(table) => return Some(Value::from(self.dict(table))),
            DeValue::Integer(number) => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                number.map(Value::from).map_err(|_| "the number is too large")
            }
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if !number.is_infinite() => Ok(Value::from(number)),
                _ => Err("the number is too large"),
            },
            DeValue::Datetime(_) => Err("no key has a date: write text in quotes, like \"…\""),
        };
        read.map_err(|message| self.add(at, message)).ok()
    }
}

/// The line of this byte, from 1.
fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The line of a key, named as `section.key`, else of the section around it, if this text has it. An entry of a list has
/// its place in it, from 0.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let (root, _) = DeTable::parse_recoverable(text);
    let mut table = Some(root.get_ref());
    let mut list: Option<&DeArray<'_>> = None;
    let mut start = None;
    for part in key.split('.') {
        let (at, value) = if let Some(table) = table {
            let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else { break };
            (name.span().start, value)
        } else {
            let entry = list.zip(part.parse::<usize>().ok()).and_then(|(list, at)| list.get(at));
            let Some(value) = entry else { break };
            (value.span().start, value)
        };
        start = Some(at);
        (table, list) = match value.get_ref() {
            DeValue::Table(below) => (Some(below), None),
            DeValue::Array(below) => (None, Some(below)),
            _ => (None, None),
        };
    }
    start.map(|start| line_at(text, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_wherever_toml_lets_it_stand() {
        let text = "local.listen = 1\n\n[sessions]\n# enabled\nenabled = 1\n[wallets.jwks]\nissuer = 1\n\
                    [auth]\nmax = [\n 1,\n]\ninner = { a = 1 }\n[[row]]\na = 1\n[[row]]\nb = 1\nc = no\n";
        for (key, line) in [
            ("local.listen", 1),
            ("sessions.enabled", 5),
            ("wallets.jwks.issuer", 7),
            ("auth.max", 9),
            ("auth.max.0", 10),
            ("auth.inner.a", 12),
            ("sessions.nothing", 3),
            ("row.0.a", 14),
            ("row.1.b", 16),
            ("row.1.x", 15),
            ("row.1.c", 17),
        ] {
            assert_eq!(line_of(text, key), Some(line), "{key}");
        }
        assert_eq!(line_of(text, "nothing.here"), None);
    }

    #[test]
    fn the_values_around_a_mistake_are_read() {
        let (dict, faults) =
            parse("a = 1\nb = yes\n[c]\nd = \"x\"\ne = 1e999\nf = 2026-01-01\ng = [true, 0o10]\n");
        let lines: Vec<_> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 5, 6]);
        let figment = figment::Figment::from(figment::providers::Serialized::defaults(dict));
        let read = |key: &str| figment.find_value(key).ok();
        assert_eq!(read("a").and_then(|value| value.to_i128()), Some(1));
        assert_eq!(read("c.d"), Some(Value::from("x")));
        assert!(read("c.e").is_none() && read("c.f").is_none());
        assert_eq!(read("c.g"), Some(Value::from(vec![Value::from(true), Value::from(8_i64)])));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, key: String) {
            let _ = parse(&text);
            let _ = line_of(&text, &key);
        }
    }
}
