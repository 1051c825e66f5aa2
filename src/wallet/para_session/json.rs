//! Reads JSON in place. Values are not copied, so that the original text is the only one to erase.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Much deeper than any session is nested.
const DEEPEST: usize = 16;

/// The member with a share of the user's key.
const SIGNER: &str = "signer";

/// An object without duplicate names, compared after unescaping; its values are unparsed text.
pub(super) struct Object<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Object<'a> {
    /// The value of `name`, if it is present.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    /// Names and values.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The text value of `name`, if it is a string of visible ASCII without escapes.
    pub(super) fn plain(&self, name: &str) -> Option<&'a str> {
        let text = self.get(name)?.get().strip_prefix('"')?.strip_suffix('"')?;
        text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\').then_some(text)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Borrowed if it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = BTreeMap::new();
        while let Some(Name(name)) = map.next_key()? {
            if members.insert(name, map.next_value()?).is_some() {
                return Err(M::Error::custom("duplicate name"));
            }
        }
        Ok(Object(members))
    }
}

/// Checks a value and everything below it for duplicate names, and counts its signers. `None`: readers could disagree
/// about this JSON.
pub(super) fn count_signers(value: &RawValue) -> Option<usize> {
    count_below(value.get(), DEEPEST)
}

fn count_below(text: &str, deeper: usize) -> Option<usize> {
    match text.as_bytes().first()? {
        b'{' if deeper > 0 => {
            let Object(members) = serde_json::from_str(text).ok()?;
            members.iter().map(|(name, value)| count_in(name, value.get(), deeper - 1)).sum()
        }
        b'[' if deeper > 0 => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            items.iter().map(|item| count_below(item.get(), deeper - 1)).sum()
        }
        b'{' | b'[' => None,
        _ => Some(0),
    }
}

fn count_in(name: &str, text: &str, deeper: usize) -> Option<usize> {
    match (name, text) {
        (SIGNER, "null" | "\"\"") => Some(0),
        (SIGNER, _) => text.starts_with('"').then_some(1),
        _ => count_below(text, deeper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Option<usize> {
        count_signers(serde_json::from_str(text).ok()?)
    }

    #[test]
    fn signers_are_found_however_deep_they_lie_and_however_their_name_is_spelt() {
        for (text, signers) in [
            (r#"{"signer":"a","x":{"signer":"b"},"y":[{"signer":"c"}]}"#, 3),
            (r#"{"\u0073igner":"a"}"#, 1),
            (r#"{"signer":"","x":{"signer":null}}"#, 0),
            (r#"{"x":"signer"}"#, 0),
        ] {
            assert_eq!(count(text), Some(signers), "{text}");
        }
    }

    #[test]
    fn whatever_two_readers_could_read_differently_is_refused() {
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[{"a":{"b":1,"b":2}}]}"#,
            r#"{"signer":"a","signer":"b"}"#,
            r#"{"signer":{"share":"a"}}"#,
        ] {
            assert_eq!(count(bad), None, "{bad}");
        }
        assert_eq!(count(&format!("{}{}", "[".repeat(17), "]".repeat(17))), None);
        assert_eq!(count(&format!("{}{}", "[".repeat(16), "]".repeat(16))), Some(0));
    }
}
