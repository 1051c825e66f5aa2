//! `[sessions]`: users and sessions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::access::AccessRules;
use crate::config::bounds::{LONGEST, MANY, Number, SECOND};
use crate::config::mistakes::InSection;

words! {
    /// The layers that a check requires.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Checks: as_str, serde {
        /// Both the access token and the wallet's credential, which must belong together.
        Both = "both",
        /// Only the access token; a credential in the same request must belong to it.
        AccessToken = "access_token",
        /// Only the wallet's credential; an access token in the same request must belong to it.
        Credential = "credential",
    }
}

words! {
    /// Which wallets get a user at their first login.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum SignUp: as_str, serde {
        /// Every wallet.
        Open = "open",
        /// No wallet: only existing users may log in, and operators invite them.
        Listed = "listed",
    }
}

/// `[sessions]`: users and sessions.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionRules {
    /// Whether users and sessions are on. Default false.
    pub enabled: bool,
    /// Which wallets get a user at their first login. Default open.
    pub sign_up: SignUp,
    /// The layers that a check requires. Default both.
    pub checks: Checks,
    /// The longest lifetime of a session; a session never outlasts the wallet's credential. Default 30 days.
    #[serde(with = "crate::config::duration")]
    pub max_lifetime: Duration,
    /// Sessions of one user at the same time; a further one ends the oldest. Default 50.
    pub max_per_user: usize,
    /// Logins with one wallet within `window`. Default 30.
    pub max_logins_per_wallet: usize,
    /// Refreshes with one wallet within `window`. Default 120.
    pub max_refreshes_per_wallet: usize,
    /// The window of both limits. Default 10 minutes.
    #[serde(with = "crate::config::duration")]
    pub window: Duration,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            enabled: false,
            sign_up: SignUp::Open,
            checks: Checks::Both,
            max_lifetime: Duration::from_secs(30 * 24 * 3600),
            max_per_user: 50,
            max_logins_per_wallet: 30,
            max_refreshes_per_wallet: 120,
            window: Duration::from_secs(10 * 60),
        }
    }
}

impl SessionRules {
    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        vec![
            Number::time("max_lifetime", self.max_lifetime, SECOND..=LONGEST),
            Number::count("max_per_user", self.max_per_user, 1..=MANY),
            Number::count("max_logins_per_wallet", self.max_logins_per_wallet, 1..=MANY),
            Number::count("max_refreshes_per_wallet", self.max_refreshes_per_wallet, 1..=MANY),
            Number::time("window", self.window, SECOND..=LONGEST),
        ]
    }

    /// Checks the values. A session lasts at least as long as its access tokens.
    pub(in crate::config) fn check(&self, access: &AccessRules, wrong: &mut InSection<'_>) {
        if self.max_lifetime < access.lifetime {
            wrong.add("max_lifetime", "must be at least access.lifetime");
        }
    }
}
