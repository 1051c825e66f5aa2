//! What the second layer counts.

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
                "SessionCounts that were begun, by who vouches for the wallet.",
                &["provider"],
            ),
            checks: families.counters(
                "portico_session_checks_total",
                "Questions about sessions, by what was asked and whose wallet was meant; result is ok or the code of the \
                 refusal.",
                &["at", "provider", "result"],
            ),
            ended: families.counters(
                "portico_sessions_revoked_total",
                "SessionCounts that were ended before they ran out.",
                &["reason"],
            ),
        }
    }

    /// Somebody has logged in.
    pub fn logged_in(&self, provider: &str) {
        self.logins.with_label_values(&[provider]).inc();
    }

    /// Somebody was let in: `verify`, `forward`, `refresh`, `introspect`.
    pub fn passed(&self, at: &str, provider: &str) {
        self.checks.with_label_values(&[at, provider, "ok"]).inc();
    }

    /// Somebody was not, there or at `login`.
    pub fn refused(&self, at: &str, provider: &str, code: &str) {
        self.checks.with_label_values(&[at, provider, code]).inc();
    }

    /// A session was ended.
    pub fn revoked(&self, reason: &str) {
        self.ended.with_label_values(&[reason]).inc();
    }
}
