//! What a stranger wrote, as it may stand in an error: in quotes, escaped, and not too long.

/// The longest part of it that is shown, in characters.
const MAX_SHOWN: usize = 64;

/// The text as it may be shown.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_cannot_fill_an_error_or_steer_a_terminal() {
        assert_eq!(quoted("wiat"), "\"wiat\"");
        assert_eq!(quoted("a\"b\u{1b}[2J\n"), "\"a\\\"b\\u{1b}[2J\\n\"");
        assert_eq!(quoted(&"é".repeat(64)), format!("\"{}\"", "é".repeat(64)));
        assert_eq!(quoted(&"é".repeat(65)), format!("\"{}\"…", "é".repeat(64)));
    }
}
