//! How far a login with a wallet is, by the events of its stream. Pure.

use crate::events::{Event, EventBody, FailureCode, LoggedIn};

/// How far it is.
#[derive(Debug)]
pub(super) enum Progress {
    /// Nobody has scanned the code.
    Waiting,
    /// A wallet has scanned the code, and its user decides.
    Scanned,
    /// The user declined.
    Declined,
    /// It failed.
    Failed(FailureCode),
    /// The user approved, and a session began.
    Approved(Box<LoggedIn>),
}

impl Progress {
    /// The progress after these events, the first first.
    pub(super) fn of(events: Vec<Event>) -> Self {
        events.into_iter().fold(Self::Waiting, |before, event| match event.body {
            EventBody::KeyHandshake { .. } => Self::Scanned,
            EventBody::AuthenticateKey { login: Some(login), .. } => Self::Approved(login),
            EventBody::AuthenticateKey { login: None, .. } => Self::Declined,
            EventBody::Error { code, .. } => Self::Failed(code),
            EventBody::SessionCreated { .. } | EventBody::SessionRevoked { .. } => before,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::Timestamp;

    const KEY: &str = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";

    fn after(bodies: &[Value]) -> Progress {
        let event = |body: &Value| Event {
            index: 1,
            timestamp: Timestamp::from_secs(1),
            body: serde_json::from_value(body.clone()).unwrap(),
        };
        Progress::of(bodies.iter().map(event).collect())
    }

    #[test]
    fn the_last_event_decides() {
        let scanned = json!({ "type": "key_handshake", "main_key": KEY, "preferred_relays": [] });
        let declined = json!({
            "type": "authenticate_key", "user_key": KEY, "recipient": KEY, "challenge": "c",
            "status": { "status": "declined", "reason": null },
        });
        let failed = json!({ "type": "error", "reason": "no answer in time", "code": "timed_out" });
        assert!(matches!(after(&[]), Progress::Waiting));
        assert!(matches!(after(std::slice::from_ref(&scanned)), Progress::Scanned));
        assert!(matches!(after(&[scanned.clone(), declined]), Progress::Declined));
        assert!(matches!(after(&[scanned, failed]), Progress::Failed(FailureCode::TimedOut)));
    }
}
