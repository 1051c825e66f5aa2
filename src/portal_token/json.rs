//! Reads JSON objects strictly.
//!
//! A name that occurs twice is rejected at every depth: readers disagree about which one counts, and a token must
//! mean the same to all of them (RFC 8725 §2.4, RFC 7515 §4, RFC 7519 §4).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON object without duplicate names, compared after unescaping.
pub(crate) struct Object<'a>(BTreeMap<Cow<'a, str>, Value<'a>>);

/// The JSON values that occur in tokens.
pub(crate) enum Value<'a> {
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// A number. Integers up to 2⁵³ − 1 are exact; larger ones are out of range for every claim.
    Number(f64),
    /// Null, a boolean, an array or an object.
    Other,
}

impl<'a> Object<'a> {
    /// Reads exactly one object from UTF-8 text, nested at most 128 deep.
    ///
    /// A number beyond the range of a double is an error too, at any position.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The value of `name`, if it is present.
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.get(name)
    }

    /// Whether `name` is present, with any value.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn collect<M: MapAccess<'a>>(mut map: M) -> Result<Self, M::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<Name<'a>>()? {
            let value = map.next_value()?;
            if members.insert(name.0, value).is_some() {
                return Err(M::Error::custom("duplicate name"));
            }
        }
        Ok(Self(members))
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                Object::collect(map)
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// The name of a member; borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self::Value, S::Error> {
        // Walked, not skipped: an object in there may repeat a name.
        while items.next_element::<Value<'de>>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        Object::collect(map).map(|_| Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_object() {
        for good in [r#"{}"#, r#" { "a" : [1, {"b": null}], "c": "\u0041" } "#, r#"{"":0}"#] {
            assert!(Object::parse(good.as_bytes()).is_ok(), "{good}");
        }
        let object = Object::parse(br#"{"c": "\u0041"}"#).unwrap();
        assert!(matches!(object.get("c"), Some(Value::Text(text)) if text == "A"));
    }

    #[test]
    fn refuses_whatever_two_readers_could_read_differently() {
        let cases = [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
            r#"{"a":1}{"a":1}"#,
            r#"{"a":1}x"#,
            r#"{"a":1,}"#,
            r#"{"a":01}"#,
            r#"{"a":NaN}"#,
            r#"{'a':1}"#,
            "{\"a\":\"\u{1}\"}",
            "\u{feff}{}",
            r#"{"a":"\ud800"}"#,
            "[]",
            "null",
            r#""{}""#,
            "",
        ];
        for bad in cases {
            assert!(Object::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_err(), "not UTF-8");
        assert!(Object::parse(b"{\"\xff\":1}").is_err(), "not UTF-8");
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_stack_overflow() {
        let text = format!(r#"{{"x":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
        assert!(Object::parse(text.as_bytes()).is_err());
    }
}
