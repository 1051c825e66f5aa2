//! `[wallets]`: wallet providers besides Portal's. Each is off until its section exists.

mod jwks;
mod nip98;
mod para_session;
mod thirdweb;
mod web_url;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::bounds::Number;
use crate::config::mistakes::Mistakes;

pub use jwks::{Jwks, JwtAlgorithm, Para};
pub use nip98::Nip98;
pub use para_session::{ApiKeyError, ParaApiKeys, ParaSessionRules};
pub use thirdweb::{AdminKeyError, ThirdwebRules};
pub use web_url::{NotAWebUrl, WebUrl};

const THIRDWEB: &str = "wallets.thirdweb";
const JWKS: &str = "wallets.jwks";
const PARA: &str = "wallets.para";
const PARA_SESSION: &str = "wallets.para_session";
const CAPSULE_SESSION: &str = "wallets.capsule_session";
const NIP98: &str = "wallets.nip98";

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

    /// A section for every provider, with its defaults.
    pub(in crate::config) fn every() -> Self {
        Self { thirdweb: Some(ThirdwebRules::default()), ..Self::default() }
    }

    /// Numbers and durations of the sections that exist, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<(&'static str, Vec<Number>)> {
        let sections = [
            (THIRDWEB, self.thirdweb.as_ref().map(ThirdwebRules::numbers)),
            (JWKS, self.jwks.as_ref().map(Jwks::numbers)),
            (PARA, self.para.as_ref().map(Para::numbers)),
            (PARA_SESSION, self.para_session.as_ref().map(ParaSessionRules::numbers)),
            (CAPSULE_SESSION, self.capsule_session.as_ref().map(ParaSessionRules::numbers)),
            (NIP98, self.nip98.as_ref().map(Nip98::numbers)),
        ];
        sections.into_iter().filter_map(|(name, numbers)| Some((name, numbers?))).collect()
    }

    /// Checks the values of each section. No issued token lasts longer than `max_issued`.
    pub(in crate::config) fn check(&mut self, max_issued: Duration, wrong: &mut Mistakes) {
        if let Some(rules) = &self.thirdweb {
            rules.check(max_issued, &mut wrong.section(THIRDWEB));
        }
        if let Some(rules) = &self.jwks {
            rules.check(&mut wrong.section(JWKS));
        }
        if let Some(rules) = &self.para {
            rules.check(&mut wrong.section(PARA));
        }
        if let Some(rules) = &mut self.para_session {
            rules.check(para_session::PARA, &mut wrong.section(PARA_SESSION));
        }
        if let Some(rules) = &mut self.capsule_session {
            rules.check(para_session::CAPSULE, &mut wrong.section(CAPSULE_SESSION));
        }
        if let Some(rules) = &self.nip98 {
            rules.check(&mut wrong.section(NIP98));
        }
        let names = self.names();
        if !names.contains(&self.default.as_str()) {
            let names = names.join(", ");
            let reason = format!("{:?} is not configured; configured providers: {names}", self.default);
            wrong.section("wallets").add("default", reason);
        }
    }
}
