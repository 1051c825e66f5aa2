//! Conditional requests: the entity tags in `If-Match` and `If-None-Match` (RFC 9110 §13.1).

use axum::http::{HeaderMap, HeaderName, header};

use super::envelope::ApiError;

/// The conditions that a request puts on the current version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conditions {
    matches: Option<Tags>,
    matches_none: Option<Tags>,
}

/// The value of one of the two headers, all its lines together.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    /// `*`: any version that exists.
    Any,
    /// The tags in the list.
    Listed(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    is_weak: bool,
    /// Between the quotes. Other programs can put any bytes there.
    opaque: Vec<u8>,
}

/// The result of the conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request is carried out.
    Holds,
    /// 412.
    Failed,
    /// The caller of a read already has this version: 304.
    NotModified,
}

impl Conditions {
    /// The conditions in these headers.
    ///
    /// # Errors
    /// 400 for a header that is not a list of entity tags.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let matches = tags(headers, &header::IF_MATCH)?;
        if matches == Some(Tags::Listed(Vec::new())) {
            return Err(ApiError::bad_request("if-match: must not be empty"));
        }
        Ok(Self { matches, matches_none: tags(headers, &header::IF_NONE_MATCH)? })
    }

    /// Whether every version satisfies them.
    pub(crate) fn are_none(&self) -> bool {
        matches!(self, Self { matches: None | Some(Tags::Any), matches_none: None })
    }

    /// Compares with the tag of the current version, in the order of RFC 9110 §13.2.2.
    pub(crate) fn judge(&self, current: &str, is_read: bool) -> Verdict {
        if self.matches.as_ref().is_some_and(|tags| !tags.contain(current, true)) {
            return Verdict::Failed;
        }
        match &self.matches_none {
            Some(tags) if tags.contain(current, false) => {
                if is_read {
                    Verdict::NotModified
                } else {
                    Verdict::Failed
                }
            }
            _ => Verdict::Holds,
        }
    }
}

impl Tags {
    /// `strongly`: a weak tag never matches (RFC 9110 §8.8.3.2).
    fn contain(&self, current: &str, strongly: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => {
                tags.iter().any(|tag| tag.opaque == current.as_bytes() && !(strongly && tag.is_weak))
            }
        }
    }
}

/// `None`: the header is not there.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, ApiError> {
    let mut lines = headers.get_all(name).iter().map(|line| line.as_bytes().trim_ascii()).peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    let lines: Vec<&[u8]> = lines.collect();
    if lines == [b"*"] {
        return Ok(Some(Tags::Any));
    }
    // Lines of one name are one list (RFC 9110 §5.3).
    let listed = list(&lines.join(&b","[..]));
    listed.map(|tags| Some(Tags::Listed(tags))).ok_or_else(|| {
        ApiError::bad_request(format!(
            "{name}: must be * or a list of entity tags like \"3\", quotes included"
        ))
    })
}

/// `#entity-tag`: empty elements are ignored (RFC 9110 §5.6.1.2).
fn list(text: &[u8]) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
            continue;
        }
        let (tag, after) = entity_tag(rest)?;
        tags.push(tag);
        rest = after.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
    Some(tags)
}

/// A tag, and what follows it (RFC 9110 §8.8.3).
fn entity_tag(text: &[u8]) -> Option<(Tag, &[u8])> {
    let is_weak = text.starts_with(b"W/");
    let quoted = text.strip_prefix(b"W/").unwrap_or(text).strip_prefix(b"\"")?;
    let end = quoted.iter().position(|byte| *byte == b'"')?;
    let opaque = &quoted[..end];
    let is_etagc = |byte: &u8| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..);
    opaque.iter().all(is_etagc).then(|| (Tag { is_weak, opaque: opaque.to_vec() }, &quoted[end + 1..]))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn conditions(lines: &[(HeaderName, &[u8])]) -> Result<Conditions, ApiError> {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name, HeaderValue::from_bytes(line).unwrap());
        }
        Conditions::of(&headers)
    }

    fn if_match(lines: &[&[u8]]) -> Option<Verdict> {
        let lines: Vec<_> = lines.iter().map(|line| (header::IF_MATCH, *line)).collect();
        conditions(&lines).ok().map(|conditions| conditions.judge("2", false))
    }

    #[test]
    fn a_change_is_made_if_one_of_the_listed_tags_is_the_current_one() {
        let holding: [&[&[u8]]; 8] = [
            &[b"\"2\""],
            &[b"\"0\", \"2\""],
            &[b"\"0\",\"2\""],
            &[b"  \"0\"\t,\t \"2\"  "],
            &[b"\"0\"", b"\"2\""],
            &[b", ,\"2\",,"],
            &[b"\"a,b\", \"2\", \"caf\xc3\xa9\""],
            &[b"*"],
        ];
        for lines in holding {
            assert_eq!(if_match(lines), Some(Verdict::Holds), "{lines:?}");
        }
        let failing: [&[&[u8]]; 7] = [
            &[b"\"1\""],
            &[b"W/\"2\""],
            &[b"W/\"1\", W/\"2\""],
            &[b"\"\""],
            &[b"\"02\""],
            &[b"\"not-ours\""],
            &[b"\"0\"", b"\"1\""],
        ];
        for lines in failing {
            assert_eq!(if_match(lines), Some(Verdict::Failed), "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_a_bad_request() {
        let malformed: [&[&[u8]]; 11] = [
            &[b""],
            &[b", ,"],
            &[b"2"],
            &[b"\"2"],
            &[b"\"1\" \"2\""],
            &[b"*, \"2\""],
            &[b"*", b"\"2\""],
            &[b"w/\"2\""],
            &[b"W/ \"2\""],
            &[b"\"a b\""],
            &[b"\"2\";q=1"],
        ];
        for lines in malformed {
            assert_eq!(if_match(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn a_reader_who_has_the_current_version_is_told_so_and_a_writer_who_wants_another_is_refused() {
        for (line, read, write) in [
            (&b"\"2\""[..], Verdict::NotModified, Verdict::Failed),
            (b"W/\"2\"", Verdict::NotModified, Verdict::Failed),
            (b"\"1\", W/\"2\"", Verdict::NotModified, Verdict::Failed),
            (b"*", Verdict::NotModified, Verdict::Failed),
            (b"\"1\"", Verdict::Holds, Verdict::Holds),
            (b"", Verdict::Holds, Verdict::Holds),
        ] {
            let conditions = conditions(&[(header::IF_NONE_MATCH, line)]).unwrap();
            assert_eq!(
                (conditions.judge("2", true), conditions.judge("2", false)),
                (read, write),
                "{line:?}"
            );
        }
        let both = conditions(&[(header::IF_MATCH, b"\"1\""), (header::IF_NONE_MATCH, b"\"2\"")]).unwrap();
        assert_eq!(both.judge("2", true), Verdict::Failed, "If-Match comes first");
    }
}
