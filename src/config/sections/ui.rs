//! `[ui]`: the operator's page.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::bounds::{MINUTE, Number};
use crate::config::mistakes::InSection;

/// `[ui]`: the operator's page on the sockets of the local API.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UiRules {
    /// Whether Portico serves the page at `/ui/`. Default false.
    pub enabled: bool,
    /// Whether the page can change anything: end sessions, disable users. Default false.
    pub writes: bool,
    /// Whether callers from other machines may use it too, if `local.allow_remote` lets them connect. Default false.
    pub allow_remote: bool,
    /// Users with this role may sign in with their wallet. Empty: only API tokens may. Default `portico:admin`.
    pub role: String,
    /// How long somebody stays signed in. Default 1 hour.
    #[serde(with = "crate::config::duration")]
    pub session_lifetime: Duration,
}

impl Default for UiRules {
    fn default() -> Self {
        Self {
            enabled: false,
            writes: false,
            allow_remote: false,
            role: "portico:admin".into(),
            session_lifetime: Duration::from_secs(3600),
        }
    }
}

impl UiRules {
    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        /// The page is for one shift of work, not for days.
        const LONGEST_SESSION: Duration = Duration::from_secs(24 * 3600);

        vec![Number::time("session_lifetime", self.session_lifetime, MINUTE..=LONGEST_SESSION)]
    }

    /// Checks the values. A role that no user can have would keep everybody out.
    pub(in crate::config) fn check(&self, wrong: &mut InSection<'_>) {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b".:_/*-".contains(&byte);
        if !self.role.bytes().all(is_usual) {
            wrong.add("role", "must have only letters, digits and . : _ / * -, or be empty");
        }
    }
}
