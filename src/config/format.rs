//! TOML as a layer of figment, whose own is of an older release.

use figment::providers::Format;
use serde::de::DeserializeOwned;

/// TOML as the rest of the program reads it.
pub(super) struct Toml;

impl Format for Toml {
    type Error = toml::de::Error;

    const NAME: &'static str = "TOML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Self::Error> {
        toml::from_str(text)
    }
}
