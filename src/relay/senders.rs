//! What all relays share about those whom nobody waits for: who has sent how much, what it may cost, and how
//! many bytes of it are on the way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nostr_sdk::prelude::PublicKey;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::authors::{Authors, Level};
use super::cpu;
use super::ration::Ration;
use super::room::{Reserved, Room};

/// Verified events that wait to be handled, or are being handled, in bytes: as many of those who are waited
/// for, and of all others.
const ON_THE_WAY: usize = 8 << 20;

/// An event is charged once more for each so many bytes that it is long.
const CHARGED_BYTES: usize = 16 << 10;

/// One for all relays.
pub(super) struct Senders {
    accounts: Mutex<Accounts>,
    waited_for: Arc<Room>,
    others: Arc<Room>,
    /// An event was handled.
    pub(super) handled: Arc<Notify>,
}

/// Which frames may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// Those up to this level. `None`: none.
    pub(super) up_to: Option<Level>,
    /// When that may change by itself.
    pub(super) again: Option<Instant>,
    /// What was verified before has to be handled first.
    pub(super) stalled: bool,
}

struct Accounts {
    authors: Authors,
    ration: Ration,
}

impl Senders {
    pub(super) fn new(cores: usize, now: Instant) -> Self {
        let accounts = Accounts { authors: Authors::new(now), ration: Ration::new(cores) };
        let handled = Arc::<Notify>::default();
        let [waited_for, others] = [(); 2].map(|()| Arc::new(Room::telling(&handled)));
        Self { accounts: Mutex::new(accounts), waited_for, others, handled }
    }

    /// Where a frame belongs that names this author.
    pub(super) fn level(&self, author: &PublicKey, waited_for: bool, now: Instant) -> Level {
        self.accounts().authors.level(author, waited_for, now)
    }

    /// An event of this length and level was verified, at this cost, and its author is who it says.
    pub(super) fn verified(
        &self,
        author: &PublicKey,
        bytes: usize,
        level: Level,
        cost: Duration,
        now: Instant,
    ) {
        self.look_at_cores(now);
        let mut accounts = self.accounts();
        let events = 1 + u32::try_from(bytes / CHARGED_BYTES).unwrap_or(u32::MAX - 1);
        accounts.authors.charge(author, events, now);
        if level > Level::WAITED_FOR {
            accounts.ration.spend(cost, level, now);
        }
    }

    /// So much was done for an author.
    pub(super) fn spent_on(&self, author: &PublicKey, cost: Duration, now: Instant) {
        let mut accounts = self.accounts();
        let level = accounts.authors.level(author, false, now);
        accounts.ration.spend(cost, level, now);
    }

    /// So much was done that no author can be held to.
    pub(super) fn spent(&self, cost: Duration, now: Instant) {
        self.look_at_cores(now);
        self.accounts().ration.spend(cost, Level::FEW, now);
    }

    /// An event of this author came to something.
    pub(super) fn give_back(&self, author: &PublicKey) {
        self.accounts().authors.give_back(author);
    }

    /// Which frames may be looked at now; `is_full`: no more events of strangers can be handed over.
    pub(super) fn open(&self, is_full: bool, now: Instant) -> Open {
        if self.waited_for.used() >= ON_THE_WAY {
            Open { up_to: None, again: None, stalled: true }
        } else if is_full || self.others.used() >= ON_THE_WAY {
            Open { up_to: Some(Level::WAITED_FOR), again: None, stalled: true }
        } else {
            let (level, again) = self.accounts().ration.open_up_to(now);
            Open { up_to: Some(level), again, stalled: false }
        }
    }

    /// Room for an event that is on its way.
    pub(super) fn reserve(&self, bytes: usize, level: Level) -> Reserved {
        self.room(level).reserve(bytes)
    }

    /// By how long the thread that does the work has to wait for a core.
    fn look_at_cores(&self, now: Instant) {
        if let Some((in_line, of)) = cpu::in_line() {
            self.accounts().ration.was_in_line(in_line, of, now);
        }
    }

    fn room(&self, level: Level) -> &Arc<Room> {
        if level == Level::WAITED_FOR { &self.waited_for } else { &self.others }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
