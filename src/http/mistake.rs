//! What is wrong with a request, in the words of serde but without the caller's values. serde repeats a value that
//! does not fit. That value may be a token in the wrong place, and callers log errors.

use crate::quoted::quoted;

/// Values of the wrong type or out of range: the error names their type.
const VALUES: [&str; 2] = ["invalid type: string ", "invalid value: string "];

/// Unknown names, in quotes.
const NAMES: [&str; 2] = ["unknown field ", "unknown variant "];

/// What follows a name. Portico writes this part, so its last occurrence ends the name.
const AFTER_NAME: [&str; 2] = ["`, expected ", "`, there are no "];

/// The text of an error of serde's, without what the caller wrote.
pub(crate) fn without_values(error: &str) -> String {
    let starts = VALUES.iter().chain(&NAMES).filter_map(|start| Some((error.find(start)?, *start)));
    let Some((at, start)) = starts.min() else { return error.to_owned() };
    let (before, rest) = error.split_at(at + start.len());
    if VALUES.contains(&start) {
        return format!("{}{}", before.trim_end(), after_literal(rest));
    }
    let end = AFTER_NAME.iter().filter_map(|after| rest.rfind(after)).max();
    match rest.strip_prefix('`').zip(end) {
        Some((name, end)) => format!("{before}{}{}", quoted(&name[..end - 1]), &rest[end + 1..]),
        None => before.trim_end().to_owned(),
    }
}

/// What follows a text in quotes, in which quotes and backslashes are escaped.
fn after_literal(text: &str) -> &str {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::object::Object;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read for the errors")]
    struct Asked {
        flag: Option<bool>,
        kind: Option<Kind>,
        hours: Option<u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        One,
        Two,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    fn told<T: Debug + for<'de> Deserialize<'de>>(asked: &Value) -> String {
        let error =
            serde_json::from_value::<Object<T>>(asked.clone()).map(|Object(value)| value).unwrap_err();
        let from_text = serde_json::from_str::<Object<T>>(&asked.to_string()).map(|Object(value)| value);
        let (told, as_text) =
            (without_values(&error.to_string()), without_values(&from_text.unwrap_err().to_string()));
        assert!(as_text.starts_with(&format!("{told} at line 1 column ")), "{as_text}");
        told
    }

    #[test]
    fn the_type_of_a_value_is_named_and_never_the_value() {
        for value in [
            "short",
            "eyJhbGciOiJFUzI1NksifQ.e30.c2ln",
            "a\\",
            "\", expected x",
            "`, expected x",
            "unknown field `",
        ] {
            assert_eq!(told::<Asked>(&json!(value)), "invalid type: string, expected an object");
            assert_eq!(told::<Asked>(&json!({ "flag": value })), "invalid type: string, expected a boolean");
            assert_eq!(told::<Asked>(&json!({ "hours": value })), "invalid type: string, expected u8");
        }
        assert_eq!(told::<Asked>(&json!(7)), "invalid type: integer `7`, expected an object");
    }

    #[test]
    fn a_name_that_is_not_known_is_quoted_and_shortened() {
        let fields = "expected one of `flag`, `kind`, `hours`";
        for (name, shown) in [
            ("flagg", r#""flagg""#),
            ("eyJhbGciOiJFUzI1NksifQ.e30.c2ln", r#""eyJhbGci"…"#),
            ("\u{1b}[2J\u{202e}`, expected y", r#""\u{1b}[2J\u{202e}`, expected y""#),
            ("invalid type: string \"", r#""invalid type: string \"""#),
        ] {
            assert_eq!(told::<Asked>(&json!({ name: 1 })), format!("unknown field {shown}, {fields}"));
            let kinds = format!("unknown variant {shown}, expected `one` or `two`");
            assert_eq!(told::<Asked>(&json!({ "kind": name })), kinds);
            let none = format!("unknown field {shown}, there are no fields");
            assert_eq!(told::<Nothing>(&json!({ name: 1 })), none);
        }
    }
}
