//! The fields of a log line as text: `name=value`, so that a value cannot look like several fields.

use std::fmt::{self, Debug};

use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{self, Writer};

/// Writes fields, with quotes around each value that could look like several (relays and wallets choose some values).
pub(super) fn quoted() -> impl for<'w> format::FormatFields<'w> + 'static {
    format::debug_fn(write).delimited(" ")
}

fn write(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => writer.write_str(&text),
        name if is_one_word(&text) || is_quoted(&text) => write!(writer, "{name}={text}"),
        name => write!(writer, "{name}={text:?}"),
    }
}

fn is_one_word(text: &str) -> bool {
    // Refuses what quotes would escape: white space, control characters, marks that reverse the text direction.
    text.chars().all(|c| c != ' ' && c != '"' && c.escape_debug().len() == 1)
}

/// Whether this is one string in quotes, as `Debug` writes it.
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    let mut escaped = false;
    let closes_early = inner.chars().any(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes || c.is_control()
    });
    !closes_early && !escaped
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// A line of the log with `reason`, logged with `Display`.
    fn logged(reason: &str) -> String {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(quoted())
            .with_writer(lines.clone())
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .finish();
        tracing::subscriber::with_default(subscriber, || tracing::info!(n = 1, reason = %reason, "it ended"));
        let line = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        line.trim_end().strip_prefix(" INFO it ended n=1 reason=").unwrap().to_owned()
    }

    #[test]
    fn a_relay_cannot_add_fields_to_a_line() {
        for (reason, expected) in [
            ("closed", "closed"),
            ("too many", r#""too many""#),
            (r#"x outcome="approved""#, r#""x outcome=\"approved\"""#),
            (r#""a" outcome="b""#, r#""\"a\" outcome=\"b\"""#),
            (r#""a\" outcome=b"#, r#""\"a\\\" outcome=b""#),
            ("a\nb", r#""a\nb""#),
            ("a\u{202e}b", r#""a\u{202e}b""#),
            ("a\u{2028}b", r#""a\u{2028}b""#),
            ("", ""),
        ] {
            assert_eq!(logged(reason), expected, "{reason:?}");
        }
    }
}
