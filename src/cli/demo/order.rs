//! Input of the demo: a URL, after words that say how the simulated user behaves.

use std::time::Duration;

use crate::config::duration;

/// The default delay of `slow`.
const HESITATION: Duration = Duration::from_secs(5);

/// The longest delay: longer than any challenge is open.
const LONGEST: Duration = Duration::from_secs(3600);

/// The user's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Approves.
    Yes,
    /// Declines.
    No,
    /// Does not answer, so that the request expires.
    Ignore,
}

/// A command of the person at the demo.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order<'a> {
    /// Scan this URL, then answer.
    Scan {
        /// The user's name; `None`: the demo's own user.
        who: Option<&'a str>,
        mood: Mood,
        /// The delay before the answer.
        delay: Duration,
        url: &'a str,
    },
    /// Show the help.
    Help,
}

/// A line that is not a command.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotAnOrder {
    #[error("{0:?} is neither a portal:// URL nor a known word; {help}", help = HELP)]
    UnknownWord(String),
    #[error("`as` needs a name, like: as bob URL")]
    NoName,
    #[error("a portal:// URL is missing; {help}", help = HELP)]
    NoUrl,
    #[error("only one URL per line: {0:?} follows it")]
    BehindUrl(String),
    #[error("{0:?} is too long: the delay must be at most 1h")]
    TooSlow(String),
}

/// The help, on one line.
pub(super) const HELP: &str =
    "type: URL, no URL, slow [5s] URL, ignore URL, as NAME URL (also together: as bob no URL)";

/// Reads a line that is not empty.
pub(super) fn read(line: &str) -> Result<Order<'_>, NotAnOrder> {
    let (mut who, mut mood, mut delay) = (None, Mood::Yes, Duration::ZERO);
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_str() {
            "yes" => mood = Mood::Yes,
            "no" => mood = Mood::No,
            "ignore" => mood = Mood::Ignore,
            "slow" => delay = hesitation(&mut words)?,
            "as" => who = Some(words.next().filter(|name| !name.contains("://")).ok_or(NotAnOrder::NoName)?),
            "help" | "?" => return Ok(Order::Help),
            _ if word.contains("://") => {
                return match words.next() {
                    None => Ok(Order::Scan { who, mood, delay, url: word }),
                    Some(more) => Err(NotAnOrder::BehindUrl(more.to_owned())),
                };
            }
            _ => return Err(NotAnOrder::UnknownWord(word.to_owned())),
        }
    }
    Err(NotAnOrder::NoUrl)
}

fn hesitation<'a>(
    words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
) -> Result<Duration, NotAnOrder> {
    let Some(time) = words.peek().and_then(|word| duration::parse(word)) else { return Ok(HESITATION) };
    let word = words.next().unwrap_or_default();
    if time <= LONGEST { Ok(time) } else { Err(NotAnOrder::TooSlow(word.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "portal://npub1x?relays=&token=t";

    fn scan(who: Option<&'static str>, mood: Mood, secs: u64) -> Result<Order<'static>, NotAnOrder> {
        Ok(Order::Scan { who, mood, delay: Duration::from_secs(secs), url: URL })
    }

    #[test]
    fn words_before_the_url_say_how_the_user_behaves() {
        for (words, expected) in [
            ("", scan(None, Mood::Yes, 0)),
            ("yes", scan(None, Mood::Yes, 0)),
            ("no", scan(None, Mood::No, 0)),
            ("NO", scan(None, Mood::No, 0)),
            ("slow", scan(None, Mood::Yes, 5)),
            ("slow 20s", scan(None, Mood::Yes, 20)),
            ("ignore", scan(None, Mood::Ignore, 0)),
            ("as bob", scan(Some("bob"), Mood::Yes, 0)),
            ("as no", scan(Some("no"), Mood::Yes, 0)),
            ("as bob slow 1m no", scan(Some("bob"), Mood::No, 60)),
            ("no  as\tbob", scan(Some("bob"), Mood::No, 0)),
        ] {
            assert_eq!(read(&format!(" {words} {URL} ")), expected, "{words}");
        }
        assert_eq!(read("help"), Ok(Order::Help));
        assert_eq!(read("?"), Ok(Order::Help));
    }

    #[test]
    fn what_is_no_order_is_answered_with_what_is() {
        for (line, named) in [
            ("nope portal://x", "\"nope\" is neither a portal:// URL"),
            ("this is no URL", "type: URL, no URL"),
            ("no", "a portal:// URL is missing"),
            ("as", "as bob URL"),
            ("as portal://x", "as bob URL"),
            ("portal://x no", "\"no\" follows it"),
            ("portal://x portal://y", "only one URL per line"),
            ("slow 2days portal://x", "at most 1h"),
        ] {
            let told = read(line).unwrap_err().to_string();
            assert!(told.contains(named), "{line}: {told}");
        }
    }
}
