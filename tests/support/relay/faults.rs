//! What a relay can be ordered to do wrong.

use super::TestRelay;

/// What a [`TestRelay`] does otherwise than it should.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    pub(super) max_subs: Option<usize>,
    pub(super) no_ok_for_ephemeral: bool,
    pub(super) requires_auth: bool,
    pub(super) black_hole: bool,
    pub(super) refuses_older_than: Option<u64>,
    pub(super) keeps_ephemeral: bool,
    pub(super) information: Option<&'static str>,
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

    /// Accepts connections, reads everything and says nothing.
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

    /// Start a relay with these faults.
    pub(crate) async fn start(self) -> TestRelay {
        TestRelay::listen(self).await
    }
}
