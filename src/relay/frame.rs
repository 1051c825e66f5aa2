//! Reads the outside of a relay's frame (NIP-01, NIP-42).
//!
//! Pure and lenient: relays differ in the number and the types of the elements that they send, and a frame
//! whose beginning can be understood counts, whatever follows. Only a few KiB of a frame are read, so this
//! can run on the network loop. Events are parsed elsewhere.

use std::borrow::Cow;

/// The longest element that is read, in bytes; a longer text is cut.
const MAX_ELEMENT: usize = 4 * 1024;

/// A frame, as its outside shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// `["EVENT", <subscription>, {…}]`
    Event { subscription: Cow<'a, str> },
    /// `["EOSE", <subscription>]`
    Eose { subscription: Cow<'a, str> },
    /// `["CLOSED", <subscription>, <reason>]`. `None`: it names no subscription.
    Closed { subscription: Option<Cow<'a, str>>, reason: Cow<'a, str> },
    /// `["OK", <event id>, true|false, <reason>]`
    Ok { id: Cow<'a, str>, accepted: bool, reason: Cow<'a, str> },
    /// `["AUTH", <challenge>]`
    Auth { challenge: Cow<'a, str> },
    /// `["NOTICE", <text>]`
    Notice { text: Cow<'a, str> },
    /// Anything else, well-formed or not.
    Unknown,
}

/// Reads the start of a frame. The rest may be malformed.
pub(super) fn sniff(frame: &str) -> Frame<'_> {
    let mut elements = match frame.trim_ascii_start().strip_prefix('[') {
        Some(rest) => Elements { rest, is_first: true },
        None => return Frame::Unknown,
    };
    read(&mut elements).unwrap_or(Frame::Unknown)
}

fn read<'a>(elements: &mut Elements<'a>) -> Option<Frame<'a>> {
    Some(match &*elements.next()?.name()? {
        "EVENT" => Frame::Event { subscription: elements.next()?.name()? },
        "EOSE" => Frame::Eose { subscription: elements.next()?.name()? },
        "CLOSED" => {
            let subscription = elements.next();
            // A name of any length is somebody's; no name at all may mean every subscription.
            let is_named = matches!(subscription, Some(Element::Text(_) | Element::LongText(_)));
            let name = subscription.and_then(Element::name);
            let subscription = if is_named { Some(name.unwrap_or_default()) } else { None };
            Frame::Closed { subscription, reason: words(elements) }
        }
        "OK" => {
            let id = elements.next()?.name()?;
            let accepted = match elements.next()? {
                Element::Other("true") => true,
                Element::Other("false") => false,
                _ => return None,
            };
            Frame::Ok { id, accepted, reason: words(elements) }
        }
        "AUTH" => Frame::Auth { challenge: elements.next()?.name()? },
        "NOTICE" => Frame::Notice { text: words(elements) },
        _ => return None,
    })
}

/// The next element, for people; empty if there is none, or `null`.
fn words<'a>(elements: &mut Elements<'a>) -> Cow<'a, str> {
    match elements.next() {
        Some(Element::Text(text)) => text,
        Some(Element::LongText(text)) => Cow::Borrowed(text),
        None | Some(Element::Other("null")) => Cow::Borrowed(""),
        Some(Element::Other(text)) => Cow::Borrowed(text),
    }
}

/// The elements of an array, as far as they can be told apart without parsing everything.
struct Elements<'a> {
    rest: &'a str,
    is_first: bool,
}

enum Element<'a> {
    Text(Cow<'a, str>),
    /// The beginning of a text that is too long, or has no end. Escapes are as they stand.
    LongText(&'a str),
    /// As it stands; of an object or an array that is too long, or has no end, the beginning.
    Other(&'a str),
}

impl<'a> Element<'a> {
    fn name(self) -> Option<Cow<'a, str>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let mut rest = std::mem::take(&mut self.rest).trim_ascii_start();
        if !std::mem::take(&mut self.is_first) {
            rest = rest.strip_prefix(',')?.trim_ascii_start();
        }
        // The end of this element was not searched for, so no element after it can be read.
        let text = rest.strip_prefix('"');
        let head = beginning(text.unwrap_or(rest));
        if text.is_none() {
            let is_nested = head.starts_with(['[', '{']);
            let end = if is_nested { end_of_nested(head) } else { head.find([',', ']']) };
            self.rest = end.and_then(|end| rest.get(end..)).unwrap_or_default();
            let value = end.and_then(|end| head.get(..end)).unwrap_or(head).trim_ascii_end();
            return (!value.is_empty()).then_some(Element::Other(value));
        }
        let Some((inside, _)) = end_of_text(head).and_then(|end| head.split_at_checked(end)) else {
            return Some(Element::LongText(head));
        };
        self.rest = text.and_then(|text| text.get(inside.len() + 1..)).unwrap_or_default();
        Some(Element::Text(unescaped(inside)))
    }
}

fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_ELEMENT)).unwrap_or_default()
}

/// Where the quote is that ends a text.
fn end_of_text(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Where an object or an array has ended.
fn end_of_nested(value: &str) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let last = value.bytes().position(|byte| {
        match byte {
            b'"' if !escaped => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = in_text && byte == b'\\' && !escaped;
        depth == 0
    });
    last.map(|last| last + 1)
}

/// The text between quotes, with its escapes resolved. If an escape is not well-formed, the text is unchanged.
fn unescaped(inside: &str) -> Cow<'_, str> {
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    serde_json::from_str(&format!("\"{inside}\"")).map_or(Cow::Borrowed(inside), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_of(subscription: &str) -> Frame<'_> {
        Frame::Event { subscription: subscription.into() }
    }

    fn closed<'a>(subscription: Option<&'a str>, reason: &'a str) -> Frame<'a> {
        Frame::Closed { subscription: subscription.map(Cow::Borrowed), reason: reason.into() }
    }

    fn verdict(accepted: bool, reason: &str) -> Frame<'_> {
        Frame::Ok { id: "00ff".into(), accepted, reason: reason.into() }
    }

    #[test]
    fn frames_are_told_apart_by_their_start() {
        let table = [
            (r#"["EVENT","sub",{"id":"#, event_of("sub")),
            (" [ \"EVENT\" ,\n\"sub\" , {} ]", event_of("sub")),
            (r#"["EVENT","a\"b",{}]"#, event_of(r#"a"b"#)),
            (r#"["EOSE","sub"]"#, Frame::Eose { subscription: "sub".into() }),
            (r#"["AUTH","challenge"]"#, Frame::Auth { challenge: "challenge".into() }),
            (r#"["EVENT",5,{}]"#, Frame::Unknown),
            (r#"["EVENT"]"#, Frame::Unknown),
            (r#"["EVENT","unterminated"#, Frame::Unknown),
            (r#"["COUNT","sub",{"count":1}]"#, Frame::Unknown),
            (r#"{"EVENT":"sub"}"#, Frame::Unknown),
            ("", Frame::Unknown),
            ("[", Frame::Unknown),
            ("[,]", Frame::Unknown),
            ("\"", Frame::Unknown),
        ];
        for (frame, expected) in table {
            assert_eq!(sniff(frame), expected, "{frame}");
        }
    }

    #[test]
    fn what_can_be_understood_counts_whatever_follows() {
        let eose = || Frame::Eose { subscription: "sub".into() };
        let notice = |text| Frame::Notice { text: Cow::Borrowed(text) };
        let table = [
            (r#"["CLOSED","sub","error: x"]"#, closed(Some("sub"), "error: x")),
            (r#"["CLOSED","sub","error: x",1,null]"#, closed(Some("sub"), "error: x")),
            (r#"["CLOSED","sub"]"#, closed(Some("sub"), "")),
            (r#"["CLOSED","sub""#, closed(Some("sub"), "")),
            (r#"["CLOSED","sub",null]"#, closed(Some("sub"), "")),
            (r#"["CLOSED","sub",-1.5e3]"#, closed(Some("sub"), "-1.5e3")),
            (r#"["CLOSED","sub",false , 3]"#, closed(Some("sub"), "false")),
            (r#"["CLOSED","sub",{"code":1}]"#, closed(Some("sub"), r#"{"code":1}"#)),
            (r#"["CLOSED","s\u0075b","\u0065rror: x"]"#, closed(Some("sub"), "error: x")),
            (r#"["\u0043LOSED" , "sub" ]"#, closed(Some("sub"), "")),
            (r#"["CLOSED"]"#, closed(None, "")),
            (r#"["CLOSED",null,"error: x"]"#, closed(None, "error: x")),
            (r#"["CLOSED","","x"]"#, closed(Some(""), "x")),
            (r#"["EOSE","sub",null]"#, eose()),
            (r#"["EOSE","s\u0075b"]"#, eose()),
            (r#"["EOSE"]"#, Frame::Unknown),
            (r#"["OK","00ff",true]"#, verdict(true, "")),
            (r#"["OK","00ff",false,null]"#, verdict(false, "")),
            (r#"[ "OK" , "00ff" , true , "x" , 1 ]"#, verdict(true, "x")),
            (r#"["OK","00ff"]"#, Frame::Unknown),
            (r#"["OK","00ff",null,""]"#, Frame::Unknown),
            (r#"["NOTICE"]"#, notice("")),
            (r#"["NOTICE",null]"#, notice("")),
            (r#"["NOTICE",500]"#, notice("500")),
            (r#"["NOTICE",{"a":["]}\"",{}]} , 2]"#, notice(r#"{"a":["]}\"",{}]}"#)),
            (r#"["NOTICE",[1]]"#, notice("[1]")),
            (r#"["NOTICE",[1"#, notice("[1")),
            (r#"["NOTICE","a","b"]"#, notice("a")),
            (r#"["NOTICE","lone \ud800"]"#, notice(r"lone \ud800")),
        ];
        for (frame, expected) in table {
            assert_eq!(sniff(frame), expected, "{frame}");
        }
    }

    #[test]
    fn a_text_of_any_length_is_read_as_far_as_anybody_wants_to_know() {
        for filler in ["x", "ö", r"\u0041", r"\\"] {
            let long = filler.repeat(200_000);
            let frame = format!(r#"["CLOSED","sub","auth-required: {long}"]"#);
            let Frame::Closed { subscription, reason } = sniff(&frame) else { panic!("{filler}") };
            assert_eq!(subscription.as_deref(), Some("sub"));
            assert!(reason.starts_with("auth-required: ") && reason.len() <= MAX_ELEMENT);
            let frame = format!(r#"["CLOSED","{long}"]"#);
            assert_eq!(sniff(&frame), closed(Some(""), ""), "it is another subscription than any of ours");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_frame_makes_sniffing_panic(frame in "\\PC*") {
            let _ = sniff(&frame);
        }

        #[test]
        fn any_subscription_id_is_found_as_it_is_meant(id in "\\PC{0,40}") {
            let frame = serde_json::json!(["EOSE", id]).to_string();
            proptest::prop_assert_eq!(sniff(&frame), Frame::Eose { subscription: id.into() });
        }
    }
}
