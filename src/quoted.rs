//! Makes strangers' text safe to repeat in errors and the log: bounded, and without characters that change the text
//! around it.

/// The longest part of a text that is shown, in characters.
const MAX_SHOWN: usize = 32;

/// The longest part of a possible secret that is shown: enough to find it again, too little to use it.
const MAX_SHOWN_OF_SECRET: usize = 8;

/// From this length on, in bytes, letters mixed with digits may be a secret.
const SHORTEST_SECRET: usize = 16;

/// The text in quotes, escaped, and shortened: more so if it may be a token or a key in the wrong place.
pub(crate) fn quoted(text: &str) -> String {
    let max = if may_be_secret(text) { MAX_SHOWN_OF_SECRET } else { MAX_SHOWN };
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Whether the text contains a JWT, or a word of letters and digits that is too long for a name.
fn may_be_secret(text: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric() || "_-+=".contains(c);
    let mixed = |word: &str| {
        word.bytes().any(|byte| byte.is_ascii_digit()) && word.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    text.contains("eyJ")
        || text.split(|c| !in_word(c)).any(|word| word.len() >= SHORTEST_SECRET && mixed(word))
}

/// The text on one line, cut after `max` characters, without characters that change the text around them.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    text.chars().filter(|c| !steers(*c)).take(max).collect()
}

/// Whether a character changes how others are shown: controls, line separators, and marks of the direction of
/// writing, which make one name look like another.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether a character can make one name look like another: a character that changes others, one
/// without a width, or a filler that looks like a space. These include the joiners of emoji and of some scripts,
/// so this rule does not fit running text.
pub(crate) fn misleads(c: char) -> bool {
    steers(c)
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_cannot_fill_an_error_or_steer_a_terminal() {
        assert_eq!(quoted("wiat"), "\"wiat\"");
        assert_eq!(quoted("a\"b\u{1b}[2J\n"), "\"a\\\"b\\u{1b}[2J\\n\"");
        assert_eq!(quoted(&"é".repeat(32)), format!("\"{}\"", "é".repeat(32)));
        assert_eq!(quoted(&"é".repeat(33)), format!("\"{}\"…", "é".repeat(32)));
        assert_eq!(quoted("a\u{202e}b\u{200b}"), "\"a\\u{202e}b\\u{200b}\"");
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        for secret in [
            "eyJhbGciOiJFUzI1NksifQ",
            "eyJ0",
            "Bearer eyJ0eXAiOiJhdCtqd3Qi",
            "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
            "0123456789abcdef",
            "token=s3cret-s3cret-s3cret",
        ] {
            let shown = quoted(secret);
            let front: String = secret.chars().take(8).collect();
            assert!(shown.starts_with(&format!("\"{front}\"")) && shown.chars().count() < 12, "{shown}");
        }
        for name in
            ["duration_hours", "wss://relay1.example.com", "max_logins_per_wallet", "sessionTokenLifetime"]
        {
            assert_eq!(quoted(name), format!("\"{name}\""));
        }
    }

    #[test]
    fn a_line_of_a_stranger_stays_one_line_and_short() {
        assert_eq!(one_line("no\n\u{1b}[2Jwss://\u{202e}x é", 100), "no[2Jwss://x é");
        assert_eq!(one_line(&"é".repeat(300), 200), "é".repeat(200));
    }
}
