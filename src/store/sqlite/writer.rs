//! The one thread that writes, with group commit.
//!
//! An fsync costs the same for one write as for a hundred. So the thread takes all writes that wait in its
//! queue, runs them in one transaction and answers everybody after the commit. Meanwhile the next batch
//! gathers by itself: there is no timer. A failing write does not affect the others: the batch is undone and
//! run again, each write with its own savepoint. Savepoints are not used the first time, because SQLite would
//! copy every page that every write touches, and writes rarely fail.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::memory::Memory;
use super::transaction::Transaction;
use super::{SqliteOptions, closed};
use crate::metrics::Metrics;
use crate::store::{Result, StoreError};

/// The largest number of writes in one transaction: bounds its memory, and how long the first write waits.
const BATCH: usize = 512;

/// The queue to the thread. When the last handle is dropped, the thread writes what is queued and ends.
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    running: watch::Receiver<()>,
}

enum Message {
    Write(Box<dyn Job>),
    Close,
}

impl Writer {
    /// Starts the thread; at most `options.queue` writes wait for it, then callers wait. Changed rows are
    /// removed from `memory` before their callers get an answer.
    pub(super) fn start(db: Connection, options: &SqliteOptions, memory: Arc<Memory>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(options.queue.max(1).into());
        let (owes_deliveries, metrics) = (options.owes_deliveries, Arc::clone(&options.metrics));
        let (alive, running) = watch::channel(());
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                run(&Transaction::on(&db, owes_deliveries), receiver, &metrics, &memory);
                // Before anybody hears that the file is free.
                drop(db);
                drop(alive);
            })
            .map_err(|error| StoreError::Unavailable(format!("cannot start the writing thread: {error}")))?;
        Ok(Self { queue: sender, running })
    }

    /// Runs `work` in a transaction and returns when the transaction is on disk. If `work` fails, its changes
    /// are undone. `work` may run, be undone, and run again.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (caller, answer) = oneshot::channel();
        let job = Write { work, outcome: None, caller };
        self.queue.send(Message::Write(Box::new(job))).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Lets the thread finish the queue, rejects later writes, and waits until the file is released.
    pub(super) async fn close(&self) {
        // Refused: somebody else is closing already, and is waited for all the same.
        let _ = self.queue.send(Message::Close).await;
        let mut running = self.running.clone();
        while running.changed().await.is_ok() {}
    }
}

fn run(db: &Transaction<'_>, mut queue: mpsc::Receiver<Message>, metrics: &Metrics, memory: &Memory) {
    let mut messages = Vec::new();
    while queue.blocking_recv_many(&mut messages, BATCH) > 0 {
        let mut batch = Vec::with_capacity(messages.len());
        for message in messages.drain(..) {
            match message {
                Message::Write(job) => batch.push(job),
                Message::Close => queue.close(),
            }
        }
        commit(db, batch, metrics, memory);
    }
}

fn commit(db: &Transaction<'_>, mut batch: Vec<Box<dyn Job>>, metrics: &Metrics, memory: &Memory) {
    if batch.is_empty() {
        return;
    }
    let started = Instant::now();
    let outcome = transact(db, &mut batch);
    metrics.store.transacted(batch.len(), started.elapsed(), outcome.is_ok());
    if let Err(error) = &outcome {
        db.undone_since(0);
        // Each caller gets the error, and logs it with the purpose of its write.
        tracing::debug!(%error, writes = batch.len(), "a batch of writes was undone");
        if !db.is_autocommit()
            && let Err(error) = run_sql(db, "ROLLBACK")
        {
            tracing::warn!(%error, "cannot roll back a batch of writes");
        }
    }
    memory.follow(db.take_changed());
    for job in batch {
        job.answer(outcome.clone());
    }
}

fn transact(db: &Transaction<'_>, batch: &mut [Box<dyn Job>]) -> Result<()> {
    // A transaction that could not be rolled back then is rolled back now, or nothing is ever written again.
    if !db.is_autocommit() {
        run_sql(db, "ROLLBACK")?;
    }
    run_sql(db, "BEGIN IMMEDIATE")?;
    if !batch.iter_mut().all(|job| went_well(&mut **job, db) && !db.is_autocommit()) {
        if !db.is_autocommit() {
            run_sql(db, "ROLLBACK")?;
        }
        db.undone_since(0);
        run_sql(db, "BEGIN IMMEDIATE")?;
        run_apart(db, batch)?;
    }
    run_sql(db, "COMMIT")
}

/// Runs each write so that it can be undone on its own.
fn run_apart(db: &Transaction<'_>, batch: &mut [Box<dyn Job>]) -> Result<()> {
    for job in batch {
        run_sql(db, "SAVEPOINT job")?;
        let noted = db.noted();
        let keep = went_well(&mut **job, db);
        // Out of disk or memory, SQLite may give up the whole transaction and not just the statement.
        if db.is_autocommit() {
            return Err(StoreError::Unavailable("the disk is full or failing".into()));
        }
        if !keep {
            run_sql(db, "ROLLBACK TO job")?;
            db.undone_since(noted);
        }
        run_sql(db, "RELEASE job")?;
    }
    Ok(())
}

/// A panic is a bug in one write; it must not affect the others.
fn went_well(job: &mut dyn Job, db: &Transaction<'_>) -> bool {
    panic::catch_unwind(AssertUnwindSafe(|| job.run(db))).unwrap_or(false)
}

fn run_sql(db: &Connection, sql: &str) -> Result<()> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// A waiting write with any result.
trait Job: Send {
    /// Does the work. Returns `false` if it must be undone.
    fn run(&mut self, db: &Transaction<'_>) -> bool;

    /// Answers the caller, once it is known whether the batch was committed.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Write<F, T> {
    work: F,
    outcome: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for Write<F, T>
where
    F: Fn(&Transaction<'_>) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, db: &Transaction<'_>) -> bool {
        // If it panics, the outcome of the last time is not valid any more.
        self.outcome = None;
        self.outcome.insert((self.work)(db)).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let Self { outcome, caller, .. } = *self;
        let abandoned = || Err(StoreError::Unavailable("the write was abandoned".into()));
        // If the batch was undone, the error of a single write is not valid either: it saw undone changes.
        let answer = committed.and_then(|()| outcome.unwrap_or_else(abandoned));
        // The caller may have gone. The change is made all the same.
        let _ = caller.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::*;

    /// A writer on a new table of numbers, its queue long enough for every test.
    fn writer() -> (Writer, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let db = Connection::open(folder.path().join("numbers")).unwrap();
        db.execute_batch(
            "PRAGMA journal_mode = wal; CREATE TABLE numbers (n INTEGER PRIMARY KEY, bulk BLOB)",
        )
        .unwrap();
        let options = SqliteOptions { queue: 64, ..SqliteOptions::default() };
        (Writer::start(db, &options, Arc::default()).unwrap(), folder)
    }

    fn insert(n: i64) -> impl Fn(&Transaction<'_>) -> Result<()> + Send + 'static {
        move |db| Ok(db.execute("INSERT INTO numbers VALUES (?1, zeroblob(4000))", [n]).map(drop)?)
    }

    fn numbers(db: &Transaction<'_>) -> Result<Vec<i64>> {
        let mut numbers = db.prepare_cached("SELECT n FROM numbers ORDER BY n")?;
        Ok(numbers.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// Occupies the writer until the returned guard is dropped, so that everything sent meanwhile is one
    /// batch.
    async fn hold(writer: &Writer) -> std::sync::mpsc::Sender<()> {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = oneshot::channel();
        let begin = Cell::new(Some(begin));
        let (caller, _) = oneshot::channel();
        let work = move |_: &Transaction<'_>| {
            let _ = begin.take().map(|begin| begin.send(()));
            let _ = held.recv();
            Ok(())
        };
        let job = Write { work, outcome: None, caller };
        writer.queue.send(Message::Write(Box::new(job))).await.ok().unwrap();
        begun.await.unwrap();
        release
    }

    #[tokio::test]
    async fn a_write_that_fails_or_panics_is_undone_and_hurts_no_other_of_its_batch() {
        let (writer, _folder) = writer();
        let release = hold(&writer).await;
        let (first, conflict, panic, last, ()) = tokio::join!(
            writer.write(insert(1)),
            writer.write(|db| {
                insert(2)(db)?;
                insert(1)(db)
            }),
            writer.write(|db| -> Result<()> {
                insert(3)(db)?;
                panic!("a bug")
            }),
            writer.write(insert(4)),
            async { drop(release) },
        );
        assert_eq!((first, conflict, last), (Ok(()), Err(StoreError::Conflict), Ok(())));
        assert!(matches!(panic, Err(StoreError::Unavailable(_))));
        assert_eq!(writer.write(numbers).await.unwrap(), [1, 4]);
    }

    #[tokio::test]
    async fn a_full_disk_undoes_the_whole_batch_and_passes_by_itself() {
        let (writer, _folder) = writer();
        let limit = |pages: u32| {
            move |db: &Transaction<'_>| {
                Ok(db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?)
            }
        };
        writer.write(limit(10)).await.unwrap();
        let release = hold(&writer).await;
        let all = join_all((1..=40).map(|n| writer.write(insert(n))));
        let (all, ()) = tokio::join!(all, async { drop(release) });
        assert!(all.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))));
        assert!(writer.write(numbers).await.unwrap().is_empty());

        writer.write(limit(1000)).await.unwrap();
        writer.write(insert(99)).await.unwrap();
    }

    #[tokio::test]
    async fn a_commit_that_fails_is_told_to_everybody_in_the_batch() {
        let (writer, _folder) = writer();
        writer
            .write(|db| {
                Ok(db.execute_batch(
                    "CREATE TABLE owed (n INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)",
                )?)
            })
            .await
            .unwrap();
        let release = hold(&writer).await;
        let (innocent, _debtor, ()) = tokio::join!(
            writer.write(insert(1)),
            writer.write(|db| Ok(db.execute("INSERT INTO owed VALUES (77)", []).map(drop)?)),
            async { drop(release) },
        );
        assert!(innocent.is_err());
        assert!(writer.write(numbers).await.unwrap().is_empty());
        writer.write(insert(2)).await.unwrap();
    }

    #[tokio::test]
    async fn closing_writes_what_is_queued_and_refuses_what_comes_later() {
        let (writer, folder) = writer();
        let release = hold(&writer).await;
        let queued = join_all((1..=20).map(|n| writer.write(insert(n))));
        let (queued, (), (), ()) =
            tokio::join!(queued, writer.close(), writer.close(), async { drop(release) });
        assert!(queued.iter().all(Result::is_ok));
        assert_eq!(writer.write(insert(21)).await, Err(closed()));
        assert!(!folder.path().join("numbers-wal").exists(), "the log outlived the last connection");
    }

    #[tokio::test]
    async fn a_full_queue_makes_callers_wait_and_loses_nothing() {
        let (writer, _folder) = writer();
        let all = join_all((1..=500).map(|n| writer.write(insert(n)))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(writer.write(numbers).await.unwrap().len(), 500);
    }
}
