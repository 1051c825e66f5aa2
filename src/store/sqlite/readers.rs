//! A few connections for reading: they see the last commit and never wait for the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task;

use super::{closed, open};
use crate::store::{Result, StoreError};

/// A pool of reading connections, opened on first use.
pub(super) struct Readers {
    slots: Arc<Semaphore>,
    size: u32,
    pool: Arc<Pool>,
}

struct Pool {
    path: PathBuf,
    busy_timeout: Duration,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// At most `size` connections to the file at `path`.
    pub(super) fn new(path: PathBuf, size: u16, busy_timeout: Duration) -> Self {
        let size = size.max(1);
        Self {
            slots: Arc::new(Semaphore::new(size.into())),
            size: size.into(),
            pool: Arc::new(Pool { path, busy_timeout, idle: Mutex::default() }),
        }
    }

    /// Runs `work` on one snapshot of the data, in a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| closed())?;
        let pool = Arc::clone(&self.pool);
        let reading = task::spawn_blocking(move || {
            let answer = pool.read(work);
            drop(slot);
            answer
        });
        reading.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the read was abandoned".into())))
    }

    /// Waits for running reads, rejects new ones, releases the file.
    pub(super) async fn close(&self) {
        if let Ok(all) = self.slots.acquire_many(self.size).await {
            self.slots.close();
            drop(all);
            self.pool.idle().clear();
        }
    }
}

impl Pool {
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let resting = self.idle().pop();
        let mut db = match resting {
            Some(db) => db,
            None => open::reader(&self.path, self.busy_timeout)?,
        };
        // A connection that failed is not put back: the next read opens a fresh one.
        let snapshot = db.transaction()?;
        let answer = work(&snapshot)?;
        snapshot.finish()?;
        self.idle().push(db);
        Ok(answer)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool of one reader, and a connection that can write.
    fn reader() -> (Readers, Connection, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        let db = Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE numbers (n)").unwrap();
        (Readers::new(path, 1, Duration::ZERO), db, folder)
    }

    fn count(db: &Connection) -> Result<u32> {
        Ok(db.query_row("SELECT count(*) FROM numbers", [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn one_read_sees_one_moment_and_the_next_read_the_last_commit() {
        let (readers, writer, _folder) = reader();
        let counts = readers.read(move |db| {
            let before = count(db)?;
            writer.execute("INSERT INTO numbers VALUES (1)", [])?;
            Ok((before, count(db)?))
        });
        assert_eq!(counts.await, Ok((0, 0)));
        assert_eq!(readers.read(count).await, Ok(1));
    }

    #[tokio::test]
    async fn a_reader_cannot_write() {
        let (readers, _writer, _folder) = reader();
        let answer = readers.read(|db| Ok(db.execute("DELETE FROM numbers", [])?)).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
    }

    #[tokio::test]
    async fn a_read_that_fails_or_panics_does_not_use_up_the_pool() {
        let (readers, _writer, _folder) = reader();
        assert_eq!(readers.read(|_| Err::<(), _>(StoreError::Conflict)).await, Err(StoreError::Conflict));
        let panicked: Result<()> = readers.read(|_| panic!("a bug")).await;
        assert!(matches!(panicked, Err(StoreError::Unavailable(_))));
        assert_eq!(readers.read(count).await, Ok(0));
    }
}
