//! The output of commands. Strangers choose much of it, so it is escaped: it cannot move the cursor, colour or reverse
//! text, or imitate a line of ours.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::Exit;
use crate::clock::Timestamp;
use crate::quoted::misleads;

/// Prints a line of results on standard output.
macro_rules! say {
    ($($arg:tt)*) => { $crate::cli::terminal::print(format_args!($($arg)*)) };
}
pub(super) use say;

/// Prints a line for people on standard error. The macros of the standard library panic if they cannot write, and the
/// exit code would be that of the panic.
macro_rules! note {
    ($($arg:tt)*) => { $crate::cli::terminal::print_note(format_args!($($arg)*)) };
}
pub(super) use note;

/// Whether the reader of standard output has closed it.
static READER_LEFT: AtomicBool = AtomicBool::new(false);

/// A reader that closes the pipe early (`portico … | head`) does not change the exit code: the command continues.
pub(super) fn print(line: fmt::Arguments<'_>) {
    if reader_left() {
        return;
    }
    let line = lines(&line.to_string());
    match writeln!(io::stdout().lock(), "{line}") {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => READER_LEFT.store(true, Ordering::Relaxed),
        Err(error) => {
            note!("portico: standard output: {error}");
            std::process::exit(Exit::Failed as i32);
        }
    }
}

/// Whether the reader of standard output has closed it. A command without an end of its own then exits.
pub(super) fn reader_left() -> bool {
    READER_LEFT.load(Ordering::Relaxed)
}

/// A note that cannot be written is dropped.
pub(super) fn print_note(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{}", lines(&line.to_string()));
}

/// The same without a line feed: the cursor stays where it is.
pub(super) fn print_unended_note(text: &str) {
    let _ = write!(io::stderr().lock(), "{}", lines(text));
}

/// A value for people: text without quotes, on one line; a dash for null and for an empty list.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Null => "-".into(),
        Value::Array(list) if list.is_empty() => "-".into(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// Prints the fields of an object, one per line.
pub(super) fn fields(object: &Value) {
    for (name, value) in object.as_object().into_iter().flatten() {
        say!("{name:<16} {}", text(&readable(name, value)));
    }
}

/// A value for people: the times of a token, which are in seconds, become ISO 8601.
pub(super) fn readable(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("issued_at" | "not_before" | "expires_at", Value::Number(secs)) => {
            secs.as_u64().map_or_else(|| value.clone(), |secs| Timestamp::from_secs(secs).to_string().into())
        }
        (_, Value::Object(fields)) => {
            fields.iter().map(|(name, value)| (name.clone(), readable(name, value))).collect()
        }
        _ => value.clone(),
    }
}

/// Removes the tokens from an event: a terminal must not show secrets.
pub(super) fn without_tokens(event: &mut Value) {
    for (part, token) in [("status", "session_token"), ("login", "access_token")] {
        if let Some(part) = event.get_mut(part).and_then(Value::as_object_mut) {
            part.remove(token);
        }
    }
}

/// Text with line feeds of its own, which stay.
pub(super) fn lines(text: &str) -> String {
    escaped(text, |c| c != '\n' && misleads(c))
}

/// Text on one line.
pub(super) fn plain(text: &str) -> String {
    escaped(text, misleads)
}

/// Escapes as JSON does, so that JSON stays valid.
fn escaped(text: &str, must_be: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if must_be(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}")));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wallet_cannot_write_to_the_operators_terminal() {
        let hostile = "\u{1b}[31mno\nFAKE \u{9b}31m\u{202e}";
        assert_eq!(plain(hostile), r"\u001b[31mno\u000aFAKE \u009b31m\u202e");
        assert_eq!(text(&Value::from(hostile)), plain(hostile));
    }

    #[test]
    fn times_in_seconds_are_shown_as_people_write_them() {
        let event = serde_json::json!({ "session": { "issued_at": 1_795_199_512, "not_before": null } });
        let shown = serde_json::json!({ "issued_at": "2026-11-20T18:31:52.000Z", "not_before": null });
        assert_eq!(readable("x", &event)["session"], shown);
        assert_eq!(readable("expires_in", &900.into()), 900);
    }

    #[test]
    fn a_name_that_looks_like_another_is_told_apart() {
        for (name, shown) in [
            ("al\u{200b}ice", r"al\u200bice"),
            ("al\u{200d}ice", r"al\u200dice"),
            ("\u{202e}ecila", r"\u202eecila"),
            ("alice\u{61c}\u{2060}\u{feff}", r"alice\u061c\u2060\ufeff"),
            ("alice\u{e0041}", r"alice\udb40\udc41"),
        ] {
            assert_eq!(plain(name), shown);
            let json = lines(&Value::from(name).to_string());
            assert_eq!(json, format!("\"{shown}\""));
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), name, "JSON stays JSON");
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for said in ["Zoë 🔑", "नमस्ते", "שלום", "it's \"fine\" \\o/"] {
            assert_eq!(plain(said), said);
        }
    }
}
