//! `[wallets]`: wallet providers besides Portal's. Each is off until its section exists.

mod jwks;
mod nip98;
mod para_session;
mod thirdweb;
mod web_url;

use serde::{Deserialize, Serialize};

pub use jwks::{Jwks, JwtAlgorithm, Para};
pub use nip98::Nip98;
pub use para_session::{ApiKeyError, ParaApiKeys, ParaSessionRules};
pub use thirdweb::{AdminKeyError, ThirdwebRules};
pub use web_url::{NotAWebUrl, WebUrl};

/// `[wallets]`: the wallet providers.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wallets {
    /// The provider of a credential that comes without one. Default `portal`.
    pub default: String,
    /// `[wallets.thirdweb]`: tokens of thirdweb.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thirdweb: Option<ThirdwebRules>,
    /// `[wallets.jwks]`: an issuer of JWTs that publishes its keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Jwks>,
    /// `[wallets.para]`: Para's JWTs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub para: Option<Para>,
    /// `[wallets.para_session]`: sessions that Para's libraries export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub para_session: Option<ParaSessionRules>,
    /// `[wallets.capsule_session]`: sessions that Capsule's libraries export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capsule_session: Option<ParaSessionRules>,
    /// `[wallets.nip98]`: Nostr keys that sign each request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nip98: Option<Nip98>,
}

impl Default for Wallets {
    fn default() -> Self {
        Self {
            default: "portal".into(),
            thirdweb: None,
            jwks: None,
            para: None,
            para_session: None,
            capsule_session: None,
            nip98: None,
        }
    }
}

impl Wallets {
    /// The providers that are on, Portal's first.
    pub fn names(&self) -> Vec<&str> {
        let sections = [
            ("thirdweb", self.thirdweb.is_some()),
            ("jwks", self.jwks.is_some()),
            ("para", self.para.is_some()),
            ("para_session", self.para_session.is_some()),
            ("capsule_session", self.capsule_session.is_some()),
            ("nip98", self.nip98.is_some()),
        ];
        let others = sections.into_iter().filter_map(|(name, is_on)| is_on.then_some(name));
        std::iter::once("portal").chain(others).collect()
    }

    /// The configured sections of exported sessions.
    pub fn exported_sessions(&self) -> impl Iterator<Item = &ParaSessionRules> {
        [&self.para_session, &self.capsule_session].into_iter().flatten()
    }

    /// Checks the values of each section.
    ///
    /// # Errors
    /// The key, and the reason.
    pub(super) fn check(&mut self) -> Result<(), (&'static str, String)> {
        self.thirdweb.as_ref().map_or(Ok(()), ThirdwebRules::check)?;
        self.jwks.as_ref().map_or(Ok(()), Jwks::check)?;
        self.para.as_ref().map_or(Ok(()), Para::check)?;
        self.nip98.as_ref().map_or(Ok(()), Nip98::check)?;
        if let Some(rules) = &mut self.para_session {
            rules.check(&para_session::PARA)?;
        }
        if let Some(rules) = &mut self.capsule_session {
            rules.check(&para_session::CAPSULE)?;
        }
        Ok(())
    }
}
