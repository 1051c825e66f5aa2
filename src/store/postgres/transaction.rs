//! The context of a write: the connection in the middle of a transaction, and the side effects of every write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio_postgres::Row;

use super::columns::Random;
use super::failure::Outcome;
use super::query::{Db, Values};
use super::witness::Witness;

/// One transaction. Code that appends an event here also adds the event's delivery.
pub(super) struct Transaction<'t> {
    inner: deadpool_postgres::Transaction<'t>,
    owes_deliveries: bool,
    done_by: Random,
    witness: Mutex<Option<Witness>>,
    is_undone: AtomicBool,
}

impl<'t> Transaction<'t> {
    /// A transaction that was just begun. `owes_deliveries`: whether each appended event gets a delivery.
    pub(super) fn on(inner: deadpool_postgres::Transaction<'t>, owes_deliveries: bool) -> Self {
        let done_by = Random(rand::random());
        Self { inner, owes_deliveries, done_by, witness: Mutex::default(), is_undone: AtomicBool::new(false) }
    }

    /// Whether each appended event gets a delivery.
    pub(super) fn owes_deliveries(&self) -> bool {
        self.owes_deliveries
    }

    /// The random name of this transaction, for the rows that it adds.
    pub(super) fn done_by(&self) -> Random {
        self.done_by
    }

    /// Reports that it has added a row that carries its name.
    pub(super) fn note(&self, witness: Witness) {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(witness);
    }

    /// Undoes everything when the work is done, though it does not fail: it found that it came too late.
    pub(super) fn undo(&self) {
        self.is_undone.store(true, Ordering::Relaxed);
    }

    /// Whether it is to be undone.
    pub(super) fn is_undone(&self) -> bool {
        self.is_undone.load(Ordering::Relaxed)
    }

    /// What there is to commit, and the row that tells later whether it was.
    pub(super) fn into_parts(self) -> (deadpool_postgres::Transaction<'t>, Option<(Witness, Random)>) {
        let witness = self.witness.into_inner().unwrap_or_else(PoisonError::into_inner);
        (self.inner, witness.map(|witness| (witness, self.done_by)))
    }

    /// All rows of a query.
    pub(super) async fn all(&self, sql: &str, values: Values<'_>) -> Outcome<Vec<Row>> {
        Db::within(&self.inner).all(sql, values).await
    }

    /// The row of a query that has one at most.
    pub(super) async fn first(&self, sql: &str, values: Values<'_>) -> Outcome<Option<Row>> {
        Db::within(&self.inner).first(sql, values).await
    }

    /// Runs a statement. Returns how many rows it changed.
    pub(super) async fn run(&self, sql: &str, values: Values<'_>) -> Outcome<u64> {
        Db::within(&self.inner).run(sql, values).await
    }
}
