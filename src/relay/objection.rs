//! Whether a `NOTICE` may mean that the relay does not hold our subscription or will end it. Pure.
//!
//! A `NOTICE` has no fixed form: some relays use it as a greeting, others in place of a `CLOSED` or an `OK`.
//! A wrong guess costs little: a relay that holds the subscription confirms it when Portico asks again.

/// Beginnings of words that relays use to report an error or an end.
const BEGINNINGS: [&str; 48] = [
    "abort",
    "allow",
    "auth",
    "banned",
    "block",
    "can't",
    "cancel",
    "cannot",
    "clos",
    "could",
    "denied",
    "disconnect",
    "dropp",
    "error",
    "evict",
    "exceed",
    "expire",
    "fail",
    "filter",
    "forbid",
    "illegal",
    "invalid",
    "kick",
    "limit",
    "mainten",
    "malform",
    "missing",
    "overload",
    "pars",
    "permi",
    "refus",
    "reject",
    "remov",
    "restart",
    "restrict",
    "shut",
    "slow",
    "subscri",
    "terminat",
    "throttl",
    "timed",
    "timeout",
    "unable",
    "unauth",
    "unexpected",
    "unrecogni",
    "unsub",
    "unsupported",
];

/// Whole words of that kind.
const WORDS: [&str; 9] = ["bad", "end", "ended", "err", "req", "stopped", "too", "unknown", "wrong"];

/// Whether the relay objects to something. An empty notice is an objection.
pub(super) fn objects(notice: &str) -> bool {
    let notice = notice.to_lowercase();
    let is_between = |c: char| !c.is_alphanumeric() && c != '\'';
    let mut words = notice.split(is_between).filter(|word| !word.is_empty()).peekable();
    let objects =
        |word: &str| WORDS.contains(&word) || BEGINNINGS.iter().any(|beginning| word.starts_with(beginning));
    words.peek().is_none() || words.any(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_relays_say_when_they_end_or_refuse_a_subscription_objects() {
        for notice in [
            "ERROR: bad req",
            "ERROR: bad req: filter item too small",
            "ERROR: too many concurrent REQs",
            "ERROR: subscription id too long",
            "Could not parse command",
            "could not parse, json: expected value",
            "rate-limited: slow down there chief",
            "Subscription error: Too many subscriptions",
            "Query cancelled: took too long",
            "restricted: sign up first",
            "we can't serve this request",
            "closed: idle for an hour",
            "shutting down for maintenance",
            "Unknown command",
            "you were disconnected",
            "",
            " … ",
            r#"{"error":1}"#,
        ] {
            assert!(objects(notice), "{notice}");
        }
    }

    #[test]
    fn a_greeting_does_not_object() {
        for notice in [
            "Welcome to relay.example",
            "hello world",
            "This relay is brought to you by volunteers; please donate at https://relay.example/donate",
            "GM! Powered by strfry 1.0.4",
            "Users online: 1234",
            "ようこそ",
        ] {
            assert!(!objects(notice), "{notice}");
        }
    }
}
