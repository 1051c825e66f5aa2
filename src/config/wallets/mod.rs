//! `[wallets]`: whose wallets are let in besides Portal's. Each is off until its section is there.

use serde::{Deserialize, Serialize};

/// `[wallets]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wallets {
    /// The provider of a credential that comes without one. Default `portal`.
    pub default: String,
}

impl Default for Wallets {
    fn default() -> Self {
        Self { default: "portal".into() }
    }
}

impl Wallets {
    /// The providers that are on, Portal's first.
    pub fn names(&self) -> Vec<&str> {
        vec!["portal"]
    }
}
