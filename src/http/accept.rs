//! What a caller accepts: the media types in `Accept` (RFC 9110 §12.5.1).

use axum::http::{HeaderMap, header};

/// Whether a caller prefers Server-Sent Events to JSON. `*/*` does not ask for events.
pub(crate) fn prefers_events(headers: &HeaderMap) -> bool {
    let events = weight(headers, &[b"text/event-stream"]);
    events > 0 && events >= weight(headers, &[b"application/json", b"application/*", b"*/*"])
}

/// Whether a caller asks for a page. Programs send `*/*`, which does not ask for one.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    weight(headers, &[b"text/html"]) > 0
}

/// The weight of the first of these media ranges that is listed, in thousandths.
fn weight(headers: &HeaderMap, ranges: &[&[u8]]) -> u16 {
    let listed = |range: &[u8]| {
        let items =
            headers.get_all(header::ACCEPT).iter().flat_map(|line| line.as_bytes().split(|b| *b == b','));
        items
            .filter_map(|item| {
                let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
                parts.next()?.eq_ignore_ascii_case(range).then(|| parts.find_map(quality).unwrap_or(1000))
            })
            .max()
    };
    ranges.iter().find_map(|range| listed(range)).unwrap_or(0)
}

/// `q=0.5` as 500. A malformed weight counts as 0.
fn quality(parameter: &[u8]) -> Option<u16> {
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let quality = str::from_utf8(value).ok().and_then(|value| value.parse::<f32>().ok());
    let quality = quality.filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or_default();
    Some((quality * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn prefers(lines: &[&[u8]]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT, HeaderValue::from_bytes(line).unwrap());
        }
        prefers_events(&headers)
    }

    #[test]
    fn events_are_sent_to_whoever_names_them_however_it_is_spelt() {
        for lines in [
            &[&b"text/event-stream"[..]][..],
            &[b"Text/Event-Stream"],
            &[b"TEXT/EVENT-STREAM; charset=utf-8"],
            &[b"text/event-stream;q=0.1"],
            &[b"text/event-stream, */*"],
            &[b"application/json;q=0.5, text/event-stream;q=0.9"],
            &[b"application/json", b"text/event-stream"],
            &[b"x/\xff, text/event-stream"],
            &[b"text/event-stream ;Q=1.000"],
        ] {
            assert!(prefers(lines), "{lines:?}");
        }
    }

    #[test]
    fn json_is_sent_to_whoever_does_not_name_events_or_would_rather_have_json() {
        for lines in [
            &[][..],
            &[&b""[..]],
            &[b"*/*"],
            &[b"text/*"],
            &[b"application/json"],
            &[b"text/event-stream;q=0"],
            &[b"text/event-stream; Q=0.000, */*"],
            &[b"text/event-stream;q=yes"],
            &[b"text/event-stream;q=2"],
            &[b"application/json, text/event-stream;q=0.9"],
            &[b"application/*, text/event-stream;q=0.5"],
            &[b"text/event-stream-x"],
            &[b"x-text/event-stream"],
            &[b"text/plain;a=text/event-stream"],
        ] {
            assert!(!prefers(lines), "{lines:?}");
        }
    }
}
