//! What kind of message a relay sent, told from the first bytes of the frame (NIP-01, NIP-42).
//!
//! Pure. Sniffing allocates nothing and reads at most two short strings, so it can run on the network
//! loop whatever a stranger sends; parsing proper happens elsewhere.

use nostr_sdk::prelude::Event;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A frame by its outside. Subscription ids and event ids are as they stand between the quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// `["EVENT", <subscription>, {…}]`
    Event { subscription: &'a str },
    /// `["EOSE", <subscription>]`
    Eose { subscription: &'a str },
    /// `["CLOSED", <subscription>, <reason>]`
    Closed { subscription: &'a str },
    /// `["OK", <event id>, true|false, <reason>]`
    Ok { id: &'a str },
    /// `["AUTH", <challenge>]`
    Auth,
    /// `["NOTICE", <text>]`
    Notice,
    /// Anything else, well-formed or not.
    Unknown,
}

/// Look at the start of a frame. That the rest is well-formed is not promised.
pub(super) fn sniff(frame: &str) -> Frame<'_> {
    let Some((kind, rest)) = frame.trim_ascii_start().strip_prefix('[').and_then(string) else {
        return Frame::Unknown;
    };
    let argument = rest.trim_ascii_start().strip_prefix(',').and_then(string).map(|(argument, _)| argument);
    match (kind, argument) {
        ("EVENT", Some(subscription)) => Frame::Event { subscription },
        ("EOSE", Some(subscription)) => Frame::Eose { subscription },
        ("CLOSED", Some(subscription)) => Frame::Closed { subscription },
        ("OK", Some(id)) => Frame::Ok { id },
        ("AUTH", Some(_)) => Frame::Auth,
        ("NOTICE", _) => Frame::Notice,
        _ => Frame::Unknown,
    }
}

/// The JSON string `text` starts with, after white space, and what follows it. Not unescaped: what we
/// compare it with has no escapes.
fn string(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_ascii_start().strip_prefix('"')?;
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// The event of an `EVENT` frame; nothing about it is verified. `None`: the frame is malformed.
pub(super) fn event(frame: &str) -> Option<Event> {
    #[derive(Deserialize)]
    struct EventFrame(IgnoredAny, IgnoredAny, Event);
    serde_json::from_str::<EventFrame>(frame).ok().map(|frame| frame.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart_by_their_start() {
        let table = [
            (r#"["EVENT","sub",{"id":"#, Frame::Event { subscription: "sub" }),
            (" [ \"EVENT\" ,\n\"sub\" , {} ]", Frame::Event { subscription: "sub" }),
            (r#"["EOSE","sub"]"#, Frame::Eose { subscription: "sub" }),
            (r#"["CLOSED","sub","error: x"]"#, Frame::Closed { subscription: "sub" }),
            (r#"["OK","00ff",true,""]"#, Frame::Ok { id: "00ff" }),
            (r#"["AUTH","challenge"]"#, Frame::Auth),
            (r#"["NOTICE","hello"]"#, Frame::Notice),
            (r#"["EVENT","a\"b",{}]"#, Frame::Event { subscription: r#"a\"b"# }),
            (r#"["EVENT",5,{}]"#, Frame::Unknown),
            (r#"["EVENT"]"#, Frame::Unknown),
            (r#"["EVENT","unterminated"#, Frame::Unknown),
            (r#"["COUNT","sub",{"count":1}]"#, Frame::Unknown),
            (r#"{"EVENT":"sub"}"#, Frame::Unknown),
            ("", Frame::Unknown),
            ("[", Frame::Unknown),
            ("\"", Frame::Unknown),
        ];
        for (frame, expected) in table {
            assert_eq!(sniff(frame), expected, "{frame}");
        }
    }

    #[test]
    fn an_event_frame_with_more_or_less_than_an_event_is_malformed() {
        for frame in [r#"["EVENT","sub"]"#, r#"["EVENT","sub",{}]"#, r#"["EVENT","sub",{},{}]"#, "[]", "x"] {
            assert!(event(frame).is_none(), "{frame}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_frame_makes_sniffing_panic(frame in "\\PC*") {
            let _ = sniff(&frame);
            let _ = event(&frame);
        }

        #[test]
        fn any_subscription_id_is_found_as_it_was_written(id in "\\PC{0,40}") {
            let frame = serde_json::json!(["EOSE", id]).to_string();
            let quoted = serde_json::json!(id).to_string();
            proptest::prop_assert_eq!(sniff(&frame), Frame::Eose { subscription: &quoted[1..quoted.len() - 1] });
        }
    }
}
