//! The [`Store`] in a single SQLite file.
//!
//! One thread writes, many read. A write returns after the fsync of its commit, which it shares with all that
//! wait at the same moment (`writer.rs`). Reads have connections of their own (`readers.rs`) and see the last
//! commit. The file names its schema version and is brought up to date when it is opened (`migrate.rs`).
//! Copies of it are made while it is written (`backup.rs`).

mod accounts;
mod audit;
pub mod backup;
mod challenges;
mod clock;
mod columns;
mod conditions;
mod deliveries;
mod error;
mod handshakes;
mod holders;
mod migrate;
mod open;
mod purge;
mod readers;
mod relays;
mod revocations;
mod scans;
mod sessions;
mod sign_ins;
mod streams;
mod users;
mod wallets;
mod writer;

use std::fmt;
use std::fs;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nostr_sdk::PublicKey;

use self::holders::Holders;
use self::readers::Readers;
use self::writer::Writer;
use super::{
    Approval, Attempt, Begun, Challenge, Delivery, Envelope, EventDraft, Handshake, KnownSubkey, Outbox,
    Page, PurgeBefore, Recovered, RelayChange, Result, Revocation, Scan, Store, StoreError, StoredEvent,
    StreamId, Undelivered,
};
use crate::clock::{ClockSeen, Timestamp};
use crate::metrics::Metrics;

/// How a [`SqliteStore`] works.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// How many reads run at once; at least one does.
    pub readers: u16,
    /// How many writes wait for the writer before further callers have to; at least one does.
    pub queue: u16,
    /// How long to wait for a lock that another process holds, before [`StoreError::Unavailable`].
    pub busy_timeout: Duration,
    /// Whether each event that is appended owes a delivery ([`Outbox`]).
    pub outbox: bool,
    /// Where transactions are counted.
    pub metrics: Arc<Metrics>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            queue: 1024,
            busy_timeout: Duration::from_secs(5),
            outbox: false,
            metrics: Arc::default(),
        }
    }
}

/// The store in a file.
pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    holders: Holders,
}

impl SqliteStore {
    /// Opens the file at `path`; makes it, readable by its owner only, if it is not there. Blocks while the
    /// schema is brought up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], naming the file, if it or its folder cannot be made or written,
    /// [`StoreError::Newer`] if a later version of this program wrote it, [`StoreError::Corrupt`] if it is
    /// damaged or something else altogether. The latter two leave it as it is.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self> {
        // Absolute, so that readers find it whatever becomes of the working directory, and so that SQLite
        // never takes a relative `file:…` for a URI.
        let name = |reason: String| StoreError::Unavailable(format!("{}: {reason}", path.display()));
        let path = path::absolute(path).map_err(|error| name(error.to_string()))?;
        let db = open::writer(&path, options.busy_timeout).map_err(|error| match error {
            StoreError::Unavailable(reason) => name(reason),
            other => other,
        })?;
        if options.outbox {
            deliveries::collect(&db)?;
        }
        let holders = Holders::load(&db)?;
        let writer = Writer::start(db, options.queue, options.metrics)?;
        let readers = Readers::new(path.clone(), options.readers, options.busy_timeout);
        Ok(Self { path, writer, readers, holders })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What every call hears after [`Store::close`].
fn closed() -> StoreError {
    StoreError::Unavailable("it was closed".into())
}

#[async_trait]
impl Store for SqliteStore {
    async fn open_handshake(&self, handshake: &Handshake) -> Result<()> {
        let handshake = handshake.clone();
        self.writer.write(move |db| handshakes::open(db, &handshake)).await
    }

    async fn record_scan(&self, scan: &Scan) -> Result<Option<Vec<(StreamId, StoredEvent)>>> {
        let scan = scan.clone();
        self.writer.write(move |db| scans::record(db, &scan)).await
    }

    async fn open_challenge(&self, challenge: &Challenge) -> Result<()> {
        let challenge = challenge.clone();
        self.writer.write(move |db| challenges::open(db, &challenge)).await
    }

    async fn put_envelope(&self, challenge: &str, envelope: &Envelope, renewals: u8) -> Result<bool> {
        let (challenge, envelope) = (challenge.to_owned(), envelope.clone());
        self.writer.write(move |db| challenges::put_envelope(db, &challenge, &envelope, renewals)).await
    }

    async fn close_challenge(
        &self,
        challenge: &str,
        outcome: &EventDraft,
        approval: Option<&Approval>,
    ) -> Result<Option<(StoredEvent, Option<Begun>)>> {
        let (challenge, outcome, approval) = (challenge.to_owned(), outcome.clone(), approval.cloned());
        self.writer.write(move |db| challenges::close(db, &challenge, &outcome, approval.as_ref())).await
    }

    async fn end_stream(&self, stream: StreamId, last: &EventDraft) -> Result<Option<StoredEvent>> {
        let last = last.clone();
        self.writer.write(move |db| streams::append(db, stream, &last, true)).await
    }

    async fn events_after(&self, stream: StreamId, after: u64, limit: usize) -> Result<Option<Page>> {
        self.readers.read(move |db| streams::page(db, stream, after, limit)).await
    }

    async fn recover(&self, asked_since: Timestamp) -> Result<Recovered> {
        self.readers
            .read(move |db| {
                Ok(Recovered {
                    handshakes: handshakes::all_open(db)?,
                    challenges: challenges::all_open(db)?,
                    asked: challenges::asked_since(db, asked_since)?,
                })
            })
            .await
    }

    async fn user_of_signer(&self, signer: &PublicKey) -> Result<Option<PublicKey>> {
        let signer = *signer;
        self.readers.read(move |db| wallets::of_signer(db, &signer)).await
    }

    async fn preferred_relays(&self, user: &PublicKey) -> Result<Vec<String>> {
        let user = *user;
        self.readers.read(move |db| wallets::preferred_relays(db, &user)).await
    }

    async fn remember_subkey(&self, user: &PublicKey, subkey: &KnownSubkey, keep: usize) -> Result<()> {
        self.holders.add(user);
        let (user, subkey) = (*user, subkey.clone());
        self.writer.write(move |db| wallets::remember_subkey(db, &user, &subkey, keep)).await
    }

    async fn subkeys(&self, user: &PublicKey) -> Result<Vec<KnownSubkey>> {
        if !self.holders.may_include(user) {
            return Ok(Vec::new());
        }
        let user = *user;
        self.readers.read(move |db| wallets::subkeys(db, &user)).await
    }

    async fn change_relay(&self, url: &str, change: RelayChange, at: Timestamp) -> Result<()> {
        let url = url.to_owned();
        self.writer.write(move |db| relays::change(db, &url, change, at)).await
    }

    async fn forget_relay_change(&self, url: &str) -> Result<()> {
        let url = url.to_owned();
        self.writer.write(move |db| relays::forget(db, &url)).await
    }

    async fn relay_changes(&self) -> Result<Vec<(String, RelayChange)>> {
        self.readers.read(relays::changes).await
    }

    async fn revoke(&self, revocation: &Revocation, at: Timestamp) -> Result<bool> {
        let revocation = *revocation;
        self.writer.write(move |db| revocations::add(db, &revocation, at)).await
    }

    async fn clock_seen(&self) -> Result<Option<ClockSeen>> {
        self.readers.read(clock::seen).await
    }

    async fn see_clock(&self, seen: &ClockSeen) -> Result<()> {
        let seen = *seen;
        self.writer.write(move |db| clock::keep(db, &seen)).await
    }

    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>> {
        self.readers.read(move |db| revocations::holding(db, now)).await
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
        self.writer.write(migrate::touch).await
    }

    fn size(&self) -> Option<u64> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        // The log is not there before the first write, nor after a close.
        let log = fs::metadata(log).map_or(0, |log| log.len());
        Some(fs::metadata(&self.path).ok()?.len() + log)
    }

    async fn close(&self) {
        self.readers.close().await;
        // Last, so that the connection that goes last is the one that may move the log into the file.
        self.writer.close().await;
    }
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn heads(&self, limit: usize) -> Result<Vec<Delivery>> {
        self.readers.read(move |db| deliveries::heads(db, limit)).await
    }

    async fn record_attempt(&self, delivery: &Delivery, at: Timestamp, attempt: &Attempt) -> Result<bool> {
        let (delivery, attempt) = (delivery.clone(), attempt.clone());
        self.writer.write(move |db| deliveries::record(db, &delivery, at, &attempt)).await
    }

    async fn undelivered(&self, stream: Option<StreamId>, limit: usize) -> Result<Undelivered> {
        self.readers.read(move |db| deliveries::undelivered(db, stream, limit)).await
    }

    async fn retry_deliveries(&self, stream: Option<StreamId>, at: Timestamp) -> Result<u64> {
        self.writer.write(move |db| deliveries::retry(db, stream, at)).await
    }

    async fn drop_deliveries(&self, stream: Option<StreamId>) -> Result<u64> {
        self.writer.write(move |db| deliveries::forget(db, stream)).await
    }
}
