//! The [`Store`](super::Store) in a PostgreSQL database, which several daemons may share.
//!
//! A write is one transaction (`writer.rs`) in READ COMMITTED. Each transition checks its own row, so of several daemons
//! that try it one succeeds. Rows are locked in one order: user, stream, challenge, session, wallet. A transaction that
//! another one stopped is run again. If the answer to a COMMIT is lost, the writer finds out whether it was stored.
//!
//! Nothing is answered from memory: another daemon may have changed it. A read is one statement or one snapshot
//! (`readers.rs`). A connection that has failed is dropped, and the next one goes to whichever server can be written
//! (`connect.rs`). The tables are in a schema of their own, and are migrated when the store is opened (`migrate.rs`).

mod accounts;
mod api_tokens;
mod audit;
mod backup;
mod challenges;
mod claims;
mod clock;
mod columns;
mod conditions;
mod connect;
mod deliveries;
mod failure;
mod handshakes;
mod import;
mod keys;
mod lock;
mod logins;
mod look;
mod migrate;
mod purge;
mod query;
mod readers;
mod relays;
mod replays;
mod revocations;
mod scans;
mod sessions;
mod sign_ins;
mod streams;
mod transaction;
mod upkeep;
mod url;
mod users;
mod wallets;
mod web_sign_ins;
mod witness;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::connect::Connector;
use self::readers::Readers;
use self::writer::Writer;
use super::{Result, StoreError};
use crate::metrics::Metrics;
use crate::tls::Tls;

pub use self::import::import;
pub use self::lock::DaemonLock;
pub use self::look::{Found, look};
pub use self::url::{InvalidPostgresUrl, PostgresUrl};

/// Options of a [`PostgresStore`].
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The servers, the database and how to log in there.
    pub url: PostgresUrl,
    /// Which certificates of servers to trust.
    pub tls: Tls,
    /// How many transactions write at the same time, each on a connection of its own; at least one.
    pub writers: u16,
    /// How many reads run at the same time, each on a connection of its own; at least one.
    pub readers: u16,
    /// How long to wait for a free connection, for a new one, and for the answer to a statement, before
    /// [`StoreError::Unavailable`].
    pub patience: Duration,
    /// Whether each appended event gets a delivery ([`Deliveries`](super::Deliveries)).
    pub owes_deliveries: bool,
    /// Counts the transactions.
    pub metrics: Arc<Metrics>,
}

impl PostgresOptions {
    /// The usual options for this database.
    pub fn new(url: PostgresUrl) -> Self {
        Self {
            url,
            tls: Tls::default(),
            writers: 8,
            readers: 8,
            patience: Duration::from_secs(5),
            owes_deliveries: false,
            metrics: Arc::default(),
        }
    }
}

/// The store in a PostgreSQL database.
pub struct PostgresStore {
    url: PostgresUrl,
    writer: Writer,
    readers: Readers,
}

impl PostgresStore {
    /// Connects to the database, and creates or migrates its tables. Waits while another daemon migrates them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if no server can be reached that takes writes, or the server or the database cannot be
    /// used; [`StoreError::Newer`] if a later version of this program migrated the tables; [`StoreError::Corrupt`] if the
    /// schema belongs to another program. The latter two change nothing.
    pub async fn open(options: PostgresOptions) -> Result<Self> {
        let named = |error| named(&options.url, error);
        let connector = Arc::new(Connector::new(&options));
        let connected = tokio::time::timeout(connector.patience(), connector.connect()).await;
        let connection =
            connected.unwrap_or_else(|_| Err(connector.too_late())).map_err(|lost| named(lost.into()))?;
        migrate::migrate(&connection).await.map_err(|failure| named(failure.into()))?;
        drop(connection);
        let readers = Readers::new(&connector, options.readers, options.patience)?;
        let writer = Writer::new(&connector, &options)?;
        Ok(Self { url: options.url, writer, readers })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("url", &self.url).finish_non_exhaustive()
    }
}

/// An error that names its database.
fn named(url: &PostgresUrl, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{url}: {why}")),
        other => other,
    }
}

/// The error of every call after [`Upkeep::close`](super::Upkeep::close).
fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}
