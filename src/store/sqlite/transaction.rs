//! The context of a write: the connection in the middle of a transaction, and the side effects of every
//! write.

use std::cell::RefCell;
use std::ops::Deref;

use rusqlite::Connection;

use super::memory::Changed;

/// One transaction. Code that appends an event here also adds the event's delivery. Code that changes rows
/// that the store caches reports them here, and they are removed from the cache before the change is
/// acknowledged.
pub(super) struct Transaction<'a> {
    db: &'a Connection,
    owes_deliveries: bool,
    changed: RefCell<Vec<Changed>>,
}

impl<'a> Transaction<'a> {
    /// A transaction on this connection. `owes_deliveries`: whether each appended event gets a delivery.
    pub(super) fn on(db: &'a Connection, owes_deliveries: bool) -> Self {
        Self { db, owes_deliveries, changed: RefCell::default() }
    }

    /// Whether each appended event gets a delivery.
    pub(super) fn owes_deliveries(&self) -> bool {
        self.owes_deliveries
    }

    /// Reports that a cached row has changed.
    pub(super) fn note(&self, changed: Changed) {
        self.changed.borrow_mut().push(changed);
    }

    /// The number of reports so far.
    pub(super) fn noted(&self) -> usize {
        self.changed.borrow().len()
    }

    /// Everything since that number was undone.
    pub(super) fn undone_since(&self, noted: usize) {
        self.changed.borrow_mut().iter_mut().skip(noted).for_each(|changed| *changed = changed.undone());
    }

    /// The reports since the last call.
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
