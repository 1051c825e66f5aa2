//! What all relays share about unknown senders: how much each has sent, how much processor time it may cost,
//! and how many of its bytes are not handled yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nostr_sdk::prelude::PublicKey;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::authors::{Authors, Level};
use super::cpu;
use super::ration::Ration;
use super::room::{Reserved, Room};

/// Bytes of verified events that are waiting or being handled: this many of senders that Portico waits for,
/// and as many of all others.
const ON_THE_WAY: usize = 8 << 20;

/// A long event counts once more for each this many bytes.
const CHARGED_BYTES: usize = 16 << 10;

/// One for all relays.
pub(super) struct Senders {
    accounts: Mutex<Accounts>,
    waited_for: Arc<Room>,
    others: Arc<Room>,
    /// The most events of each kind that may be verified and not yet handled, whatever their length.
    max_events: usize,
    /// An event was handled.
    pub(super) handled: Arc<Notify>,
}

/// Which frames may be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// Frames up to this level. `None`: none.
    pub(super) up_to: Option<Level>,
    /// When that may change by itself.
    pub(super) again: Option<Instant>,
    /// Events that are verified must be handled first.
    pub(super) stalled: bool,
}

struct Accounts {
    authors: Authors,
    ration: Ration,
}

impl Senders {
    pub(super) fn new(cores: usize, max_events: usize, now: Instant) -> Self {
        let accounts = Accounts { authors: Authors::new(now), ration: Ration::new(cores) };
        let handled = Arc::<Notify>::default();
        let [waited_for, others] = [(); 2].map(|()| Arc::new(Room::telling(&handled)));
        Self { accounts: Mutex::new(accounts), waited_for, others, max_events: max_events.max(1), handled }
    }

    /// The level of a frame that claims this author.
    pub(super) fn level(&self, author: &PublicKey, waited_for: bool, now: Instant) -> Level {
        self.accounts().authors.level(author, waited_for, now)
    }

    /// An event of this length and level was verified at this cost; its author is genuine.
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

    /// Charges this processor time to an author.
    pub(super) fn spent_on(&self, author: &PublicKey, cost: Duration, now: Instant) {
        let mut accounts = self.accounts();
        let level = accounts.authors.level(author, false, now);
        accounts.ration.spend(cost, level, now);
    }

    /// Charges processor time that belongs to no author.
    pub(super) fn spent(&self, cost: Duration, now: Instant) {
        self.look_at_cores(now);
        self.accounts().ration.spend(cost, Level::FEW, now);
    }

    /// An event of this author was useful.
    pub(super) fn give_back(&self, author: &PublicKey) {
        self.accounts().authors.give_back(author);
    }

    /// Which frames may be handled now.
    pub(super) fn open(&self, now: Instant) -> Open {
        if self.is_full(&self.waited_for) {
            Open { up_to: None, again: None, stalled: true }
        } else if self.is_full(&self.others) {
            Open { up_to: Some(Level::WAITED_FOR), again: None, stalled: true }
        } else {
            let (level, again) = self.accounts().ration.open_up_to(now);
            Open { up_to: Some(level), again, stalled: false }
        }
    }

    /// Space for an event that is not handled yet.
    pub(super) fn reserve(&self, bytes: usize, level: Level) -> Reserved {
        self.room(level).reserve(bytes)
    }

    /// How many events are verified and not yet handled.
    pub(super) fn on_the_way(&self) -> usize {
        self.waited_for.count() + self.others.count()
    }

    fn is_full(&self, room: &Room) -> bool {
        room.used() >= ON_THE_WAY || room.count() >= self.max_events
    }

    /// How long the working thread has to wait for a core.
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
