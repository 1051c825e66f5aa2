//! Values that may be written in two ways.

use serde::Deserialize;

/// Digits that are text, although they look like a number in the environment.
pub(super) fn digits<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be octal digits like \"0660\"")]
    enum Digits {
        Text(String),
        Number(u32),
    }
    Ok(match Digits::deserialize(from)? {
        Digits::Text(text) => text,
        Digits::Number(number) => number.to_string(),
    })
}

/// A list, or text with commas, as in the environment.
pub(super) fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be a list in square brackets, or text with commas")]
    enum OneOrMore {
        Text(String),
        List(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(from)? {
        OneOrMore::List(list) => list,
        OneOrMore::Text(text) => {
            text.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
        }
    })
}
