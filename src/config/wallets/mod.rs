//! `[wallets]`: whose wallets are let in besides Portal's. Each is off until its section is there.

mod jwks;
mod nip98;
mod web_url;

use serde::{Deserialize, Serialize};

pub use jwks::{Jwks, JwtAlgorithm, Para};
pub use nip98::Nip98;
pub use web_url::{NotAWebUrl, WebUrl};

/// `[wallets]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wallets {
    /// The provider of a credential that comes without one. Default `portal`.
    pub default: String,
    /// `[wallets.jwks]`: an issuer of JWTs that publishes its keys.
    pub jwks: Option<Jwks>,
    /// `[wallets.para]`: Para.
    pub para: Option<Para>,
    /// `[wallets.nip98]`: Nostr keys that sign each request.
    pub nip98: Option<Nip98>,
}

impl Default for Wallets {
    fn default() -> Self {
        Self { default: "portal".into(), jwks: None, para: None, nip98: None }
    }
}

impl Wallets {
    /// The providers that are on, Portal's first.
    pub fn names(&self) -> Vec<&str> {
        let on =
            [("jwks", self.jwks.is_some()), ("para", self.para.is_some()), ("nip98", self.nip98.is_some())];
        let others = on.into_iter().filter_map(|(name, is_on)| is_on.then_some(name));
        std::iter::once("portal").chain(others).collect()
    }

    /// What is wrong with a section: the key, and the reason.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        self.jwks.as_ref().map_or(Ok(()), Jwks::check)?;
        self.para.as_ref().map_or(Ok(()), Para::check)?;
        self.nip98.as_ref().map_or(Ok(()), Nip98::check)
    }
}
