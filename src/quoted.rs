//! What strangers wrote, as an error or the log may repeat it: bounded, and unable to steer what is around it.

/// The longest part of it that is shown, in characters.
const MAX_SHOWN: usize = 64;

/// The text in quotes, escaped.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The text on one line, cut after `max` characters, without those that steer.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    text.chars().filter(|c| !steers(*c)).take(max).collect()
}

/// Whether a character changes how others are shown: controls, line separators, and marks of the direction of
/// writing, which make one name look like another.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
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

    #[test]
    fn a_line_of_a_stranger_stays_one_line_and_short() {
        assert_eq!(one_line("no\n\u{1b}[2Jwss://\u{202e}x é", 100), "no[2Jwss://x é");
        assert_eq!(one_line(&"é".repeat(300), 200), "é".repeat(200));
    }
}
