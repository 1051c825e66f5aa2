//! `[sessions]`: users, and what a login begins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::access::AccessRules;
use super::check::Mistake;

/// Which of the two layers a check asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Checks {
    /// The access token and the wallet's credential, which must belong together.
    Both,
    /// The access token alone; a credential that comes with it must belong to it.
    AccessToken,
    /// The wallet's credential alone; an access token that comes with it must belong to it.
    Credential,
}

/// Whose first login makes a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    /// Every wallet's.
    Open,
    /// Nobody's: only users who exist may log in, and operators invite them.
    Listed,
}

/// `[sessions]`: users, and what a login begins.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionRules {
    /// Whether there are any. Default false.
    pub enabled: bool,
    /// Whose first login makes a user. Default open.
    pub sign_up: SignUp,
    /// What a check asks for. Default both.
    pub checks: Checks,
    /// How long a session goes on, unless the wallet's credential ends before. Default 30 days.
    #[serde(with = "super::duration")]
    pub max_lifetime: Duration,
    /// Sessions that a user has at the same time; the oldest beyond these is ended. Default 50.
    pub max_per_user: usize,
    /// Logins with one wallet within `window`. Default 30.
    pub max_logins_per_wallet: usize,
    /// Renewals with one wallet within `window`. Default 120.
    pub max_refreshes_per_wallet: usize,
    /// The window of the two. Default 10 minutes.
    #[serde(with = "super::duration")]
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
    /// What is wrong with it: the key, and the reason. A session lasts at least as long as a token of it.
    pub(super) fn check(&self, access: &AccessRules) -> Result<(), Mistake> {
        if self.max_lifetime < access.lifetime {
            return Err(("sessions.max_lifetime", "must be at least access.lifetime".into()));
        }
        for (key, count) in [
            ("sessions.max_per_user", self.max_per_user),
            ("sessions.max_logins_per_wallet", self.max_logins_per_wallet),
            ("sessions.max_refreshes_per_wallet", self.max_refreshes_per_wallet),
        ] {
            if count == 0 {
                return Err((key, "must be at least 1".into()));
            }
        }
        if self.window < Duration::from_secs(1) {
            return Err(("sessions.window", "must be at least 1s".into()));
        }
        Ok(())
    }
}
