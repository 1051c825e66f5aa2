//! TOML as a layer of figment, because figment's own uses an older release of the parser.

use figment::providers::Format;
use serde::de::DeserializeOwned;

/// TOML, read by the same parser as in the rest of the program.
pub(super) struct Toml;

impl Format for Toml {
    type Error = toml::de::Error;

    const NAME: &'static str = "TOML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Self::Error> {
        toml::from_str(text)
    }
}
