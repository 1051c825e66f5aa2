//! What a relay can be ordered to do wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nostr_sdk::prelude::{JsonUtil, RelayMessage};
use serde_json::json;

use super::TestRelay;

/// What a [`TestRelay`] does otherwise than it should.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    pub(super) max_subs: Option<usize>,
    pub(super) no_ok_for_ephemeral: bool,
    pub(super) requires_auth: bool,
    pub(super) ignores_logins: bool,
    pub(super) black_hole: bool,
    pub(super) refuses_older_than: Option<u64>,
    pub(super) keeps_ephemeral: bool,
    pub(super) information: Option<&'static str>,
    pub(super) coding: Option<&'static str>,
    pub(super) refuses_logins: Option<&'static str>,
    terse: bool,
    instead_of_eose: Option<&'static str>,
    once: Option<Arc<AtomicBool>>,
}

impl Faults {
    /// `CLOSED` for more subscriptions on one connection.
    pub(crate) fn max_subs(mut self, max: usize) -> Self {
        self.max_subs = Some(max);
        self
    }

    /// No `OK` for ephemeral events, like nostr-rs-relay.
    pub(crate) fn no_ok_for_ephemeral(mut self) -> Self {
        self.no_ok_for_ephemeral = true;
        self
    }

    /// Neither `REQ` nor `EVENT` before a login (NIP-42); asks for it when it refuses one.
    pub(crate) fn requires_auth(mut self) -> Self {
        self.requires_auth = true;
        self
    }

    /// Never says whether a login was accepted.
    pub(crate) fn ignores_logins(mut self) -> Self {
        self.ignores_logins = true;
        self
    }

    /// Refuses every login, for this reason.
    pub(crate) fn refuses_logins(mut self, reason: &'static str) -> Self {
        self.refuses_logins = Some(reason);
        self
    }

    /// Accepts connections, reads everything and sends nothing.
    pub(crate) fn black_hole(mut self) -> Self {
        self.black_hole = true;
        self
    }

    /// Refuses older ephemeral events, like strfry after 60 s.
    pub(crate) fn refuses_older_than(mut self, secs: u64) -> Self {
        self.refuses_older_than = Some(secs);
        self
    }

    /// Says `OK` to ephemeral events and forwards them to nobody.
    pub(crate) fn keeps_ephemeral(mut self) -> Self {
        self.keeps_ephemeral = true;
        self
    }

    /// Answers HTTP with this information document (NIP-11); without one, not at all.
    pub(crate) fn tells(mut self, information: &'static str) -> Self {
        self.information = Some(information);
        self
    }

    /// … and says that it is compressed so, whatever it was asked for.
    pub(crate) fn compressed_by(mut self, coding: &'static str) -> Self {
        self.coding = Some(coding);
        self
    }

    /// `OK` and `CLOSED` without their last element.
    pub(crate) fn terse(mut self) -> Self {
        self.terse = true;
        self
    }

    /// This frame in place of `EOSE`, `{sub}` being the subscription; an empty one: nothing.
    pub(crate) fn instead_of_eose(mut self, frame: &'static str) -> Self {
        self.instead_of_eose = Some(frame);
        self
    }

    /// This frame in place of the first `EOSE`, and nothing in place of every later one, on any connection.
    pub(crate) fn answers_once(mut self, frame: &'static str) -> Self {
        self.once = Some(Arc::default());
        self.instead_of_eose(frame)
    }

    /// The frame by which it says this; `None`: it does not.
    pub(super) fn spell(&self, message: &RelayMessage<'_>) -> Option<String> {
        match (message, self.instead_of_eose) {
            (RelayMessage::EndOfStoredEvents(_), Some(_))
                if self.once.as_ref().is_some_and(|once| once.swap(true, Ordering::Relaxed)) =>
            {
                None
            }
            (RelayMessage::EndOfStoredEvents(_), Some("")) => None,
            (RelayMessage::EndOfStoredEvents(id), Some(frame)) => Some(frame.replace("{sub}", id.as_str())),
            (RelayMessage::Ok { event_id, status, .. }, _) if self.terse => {
                Some(json!(["OK", event_id, status]).to_string())
            }
            (RelayMessage::Closed { subscription_id, .. }, _) if self.terse => {
                Some(json!(["CLOSED", subscription_id]).to_string())
            }
            _ => Some(message.as_json()),
        }
    }

    /// Start a relay with these faults.
    pub(crate) async fn start(self) -> TestRelay {
        TestRelay::listen(self).await
    }
}
