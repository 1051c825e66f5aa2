//! What a write works on: the connection in the middle of a transaction, and what goes with it whatever the write does.

use std::cell::RefCell;
use std::ops::Deref;

use rusqlite::Connection;

use super::memory::Changed;

/// One transaction. Whoever appends an event in it owes the event's delivery; whoever changes what the store has in
/// memory says so here, and it is forgotten before anybody hears that the change was made.
pub(super) struct Transaction<'a> {
    db: &'a Connection,
    owes_deliveries: bool,
    changed: RefCell<Vec<Changed>>,
}

impl<'a> Transaction<'a> {
    /// On this connection. `owes_deliveries`: whether each event that is appended owes a delivery.
    pub(super) fn on(db: &'a Connection, owes_deliveries: bool) -> Self {
        Self { db, owes_deliveries, changed: RefCell::default() }
    }

    /// Whether each event that is appended owes a delivery.
    pub(super) fn owes_deliveries(&self) -> bool {
        self.owes_deliveries
    }

    /// Something that may be in memory is not what it was.
    pub(super) fn note(&self, changed: Changed) {
        self.changed.borrow_mut().push(changed);
    }

    /// How much was noted so far.
    pub(super) fn noted(&self) -> usize {
        self.changed.borrow().len()
    }

    /// Everything since then was undone.
    pub(super) fn undone_since(&self, noted: usize) {
        self.changed.borrow_mut().iter_mut().skip(noted).for_each(|changed| *changed = changed.undone());
    }

    /// What was noted since this was asked last.
    pub(super) fn take_changed(&self) -> Vec<Changed> {
        self.changed.take()
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db
    }
}
