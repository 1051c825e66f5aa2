//! [`Upkeep`]: maintenance of the file.

use std::fs;

use async_trait::async_trait;

use super::{SqliteStore, clock, migrate, purge};
use crate::clock::ClockSeen;
use crate::store::{PurgeBefore, Result, Upkeep};

#[async_trait]
impl Upkeep for SqliteStore {
    async fn clock_seen(&self) -> Result<Option<ClockSeen>> {
        self.readers.read(clock::seen).await
    }

    async fn see_clock(&self, seen: &ClockSeen) -> Result<()> {
        let seen = *seen;
        self.writer.write(move |db| clock::keep(db, &seen)).await
    }

    async fn purge(&self, before: &PurgeBefore) -> Result<u64> {
        let before = *before;
        let mut total = 0;
        loop {
            match self.writer.write(move |db| purge::chunk(db, &before)).await? {
                0 => return Ok(total),
                gone => total += gone,
            }
        }
    }

    async fn check(&self) -> Result<()> {
        self.readers.read(clock::seen).await?;
        self.writer.write(|db| migrate::touch(db)).await
    }

    async fn size(&self) -> Option<u64> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        // The log is not there before the first write, nor after a close.
        let log = fs::metadata(log).map_or(0, |log| log.len());
        Some(fs::metadata(&self.path).ok()?.len() + log)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.memory.clear();
        // Last, so that the connection that goes last is the one that may move the log into the file.
        self.writer.close().await;
    }
}
