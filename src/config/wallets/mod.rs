//! `[wallets]`: whose wallets are let in besides Portal's. Each is off until its section is there.

mod para_session;
mod thirdweb;

use serde::{Deserialize, Serialize};

pub use para_session::{ApiKeyError, ParaApiKeys, ParaSessionRules};
pub use thirdweb::{AdminKeyError, ThirdwebRules};

/// `[wallets]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wallets {
    /// The provider of a credential that comes without one. Default `portal`.
    pub default: String,
    /// Tokens of thirdweb.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thirdweb: Option<ThirdwebRules>,
    /// Sessions that Para's libraries export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub para_session: Option<ParaSessionRules>,
    /// Sessions that Capsule's libraries export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capsule_session: Option<ParaSessionRules>,
}

impl Default for Wallets {
    fn default() -> Self {
        Self { default: "portal".into(), thirdweb: None, para_session: None, capsule_session: None }
    }
}

impl Wallets {
    /// The providers that are on, Portal's first.
    pub fn names(&self) -> Vec<&str> {
        let mut names = vec!["portal"];
        names.extend(self.thirdweb.as_ref().map(|_| "thirdweb"));
        names.extend(self.para_session.as_ref().map(|_| "para_session"));
        names.extend(self.capsule_session.as_ref().map(|_| "capsule_session"));
        names
    }

    /// The sections of exported sessions that are there.
    pub fn exported_sessions(&self) -> impl Iterator<Item = &ParaSessionRules> {
        [&self.para_session, &self.capsule_session].into_iter().flatten()
    }

    /// Checks the values of each section.
    ///
    /// # Errors
    /// The key, and what is wrong with its value.
    pub(super) fn check(&mut self) -> Result<(), (&'static str, String)> {
        if let Some(rules) = &self.thirdweb {
            rules.check()?;
        }
        if let Some(rules) = &mut self.para_session {
            rules.check(&para_session::PARA)?;
        }
        if let Some(rules) = &mut self.capsule_session {
            rules.check(&para_session::CAPSULE)?;
        }
        Ok(())
    }
}
