//! Metrics of users and sessions.

use prometheus::IntCounterVec;

use super::Families;

/// Users and their sessions.
#[derive(Debug)]
pub struct SessionCounts {
    logins: IntCounterVec,
    checks: IntCounterVec,
    ended: IntCounterVec,
}

impl SessionCounts {
    pub(super) fn new(families: &Families<'_>) -> Self {
        Self {
            logins: families.counters(
                "portico_session_logins_total",
                "Started sessions, by wallet provider.",
                &["provider"],
            ),
            checks: families.counters(
                "portico_session_checks_total",
                "Checks of sessions, by kind of check (at) and wallet provider; result is ok or the code of the \
                 refusal.",
                &["at", "provider", "result"],
            ),
            ended: families.counters(
                "portico_sessions_revoked_total",
                "Sessions that were ended before they expired.",
                &["reason"],
            ),
        }
    }

    /// A user logged in.
    pub fn logged_in(&self, provider: &str) {
        self.logins.with_label_values(&[provider]).inc();
    }

    /// A check succeeded: `verify`, `forward`, `refresh`, `introspect`.
    pub fn passed(&self, at: &str, provider: &str) {
        self.checks.with_label_values(&[at, provider, "ok"]).inc();
    }

    /// Such a check, or a `login`, was refused.
    pub fn refused(&self, at: &str, provider: &str, code: &str) {
        self.checks.with_label_values(&[at, provider, code]).inc();
    }

    /// A session was ended.
    pub fn revoked(&self, reason: &str) {
        self.ended.with_label_values(&[reason]).inc();
    }
}
