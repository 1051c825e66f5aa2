//! Values that can be written in two ways, or that must not be written as numbers.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Octal digits in quotes: without quotes, 660 would be a decimal number.
pub(super) fn octal<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    struct Octal;

    impl Visitor<'_> for Octal {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("octal digits in quotes, like \"0660\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }

    from.deserialize_str(Octal)
}

/// A list, or text with commas, as in the environment.
pub(super) fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMore;

    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list in square brackets, or text with commas")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
            let each = text.split(',').map(str::trim).filter(|one| !one.is_empty());
            Ok(each.map(str::to_owned).collect())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<String>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }

    from.deserialize_any(OneOrMore)
}

/// The same for a key that may be absent.
pub(super) fn optional_one_or_more<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<String>>, D::Error> {
    one_or_more(from).map(Some)
}
