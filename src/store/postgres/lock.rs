//! Who may use the database: one daemon, as long as its session holds the lock.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::connect::{Backend, Connection, Connector};
use super::failure::{Failure, Outcome};
use super::query::get;
use super::{PostgresOptions, PostgresUrl};
use crate::store::{Result, StoreError};

/// The advisory lock of the daemon.
const LOCK: i64 = i64::from_be_bytes(*b"Portico\x01");

/// How long a daemon that has just ended may take to disappear.
const LEAVING: Duration = Duration::from_secs(5);

/// How often to ask again for the lock, or for a connection.
const AGAIN: Duration = Duration::from_millis(250);

/// How often to look whether the session is still there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Keeps other daemons from the database. The server releases the lock when the session ends, so a daemon that was killed
/// blocks nobody.
pub struct DaemonLock {
    connector: Connector,
    url: PostgresUrl,
    patience: Duration,
    connection: Connection,
}

/// The session that holds the lock.
struct Holder {
    backend: Backend,
    /// Where its connection comes from.
    from: String,
}

impl DaemonLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if another daemon holds it, or the server cannot be used.
    pub async fn take(options: &PostgresOptions) -> Result<Self> {
        let connector = Connector::new(options);
        let (url, patience) = (options.url.clone(), options.patience);
        let named = |failure: Failure| super::named(&url, failure.into());
        let connection = connect(&connector).await.map_err(named)?;
        let started = Instant::now();
        while let Some(holder) = taken_by_another(&connection).await.map_err(named)? {
            if started.elapsed() > LEAVING {
                return Err(StoreError::Unavailable(format!("{holder} uses {url}: stop it first")));
            }
            sleep(AGAIN).await;
        }
        Ok(Self { connector, url, patience, connection })
    }

    /// Holds the lock. Takes it again if the session was lost. Returns when another daemon has it.
    pub async fn hold(mut self) {
        loop {
            sleep(LOOK_EVERY).await;
            let asked = timeout(self.patience, self.connection.client.query_one("SELECT 1", &[])).await;
            if matches!(asked, Ok(Ok(_))) {
                continue;
            }
            tracing::warn!(database = %self.url, "the session that keeps other daemons away was lost");
            if let Some(holder) = self.take_again().await {
                return tracing::error!(database = %self.url, "{holder} has taken over the database");
            }
            tracing::info!(database = %self.url, "other daemons are kept away again");
        }
    }

    /// Returns the other daemon that has the lock, if one has.
    async fn take_again(&mut self) -> Option<Holder> {
        let lost = self.connection.backend.clone();
        loop {
            match self.try_again(&lost).await {
                Ok(Some(holder)) if holder.backend != lost => return Some(holder),
                Ok(None) => return None,
                // The server still has the lost session, or cannot be used.
                Ok(Some(_)) => {}
                Err(failure) => {
                    let error = StoreError::from(failure);
                    tracing::debug!(%error, "cannot keep other daemons away now; Portico tries again");
                }
            }
            sleep(AGAIN).await;
        }
    }

    async fn try_again(&mut self, lost: &Backend) -> Outcome<Option<Holder>> {
        self.connection = connect(&self.connector).await?;
        let holder = taken_by_another(&self.connection).await?;
        if holder.as_ref().is_some_and(|holder| holder.backend == *lost) {
            // Nobody else is meant: a later session with this number began at another time.
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE pid = $1 AND backend_start::text = $2";
            self.connection.client.query(sql, &[&lost.pid, &lost.began]).await?;
        }
        Ok(holder)
    }
}

async fn connect(connector: &Connector) -> Outcome<Connection> {
    let connected = timeout(connector.patience(), connector.connect()).await;
    connected.unwrap_or_else(|_| Err(connector.too_late()))
}

/// Takes the lock, or returns who holds it.
async fn taken_by_another(connection: &Connection) -> Outcome<Option<Holder>> {
    let row = connection.client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?;
    if row.try_get(0)? {
        return Ok(None);
    }
    Ok(Some(holder(connection).await?.unwrap_or_else(Holder::unknown)))
}

/// Who holds the lock.
async fn holder(connection: &Connection) -> Outcome<Option<Holder>> {
    let sql = "SELECT pid, coalesce(backend_start::text, '') AS began,
            coalesce(host(client_addr), 'this machine') AS origin
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (classid::bigint << 32) | objid::bigint = $1";
    let Some(row) = connection.client.query_opt(sql, &[&LOCK]).await? else { return Ok(None) };
    let backend = Backend { pid: get(&row, "pid")?, began: get(&row, "began")? };
    Ok(Some(Holder { backend, from: get(&row, "origin")? }))
}

/// The daemon that uses the database, for people.
pub(super) async fn user_of(connection: &Connection) -> Outcome<Option<String>> {
    Ok(holder(connection).await?.map(|holder| holder.to_string()))
}

impl Holder {
    /// It has gone in the meantime.
    fn unknown() -> Self {
        Self { backend: Backend { pid: 0, began: String::new() }, from: "somewhere".into() }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend: Backend { pid, .. }, from } = self;
        write!(f, "another daemon (on {from}, PostgreSQL process {pid})")
    }
}

impl fmt::Debug for DaemonLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DaemonLock").field("url", &self.url).finish_non_exhaustive()
    }
}
