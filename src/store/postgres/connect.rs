//! Connections: to a server that can be written, with the settings of this program, dropped when they have failed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult, Timeouts};
use deadpool_postgres::ClientWrapper;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{NoTls, Row, SimpleQueryMessage, SimpleQueryRow};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::{Failure, Outcome};
use super::query::get;
use super::{PostgresOptions, PostgresUrl, Result, StoreError};
use crate::tls::Tls;

/// The schema of the tables: other programs may use the same database.
pub(super) const SCHEMA: &str = "portico";

/// The oldest version of PostgreSQL that works, as the server counts.
const OLDEST: i32 = 130_000;

/// After this time, a connection that is used again is asked whether its server can still be written. One that cannot
/// would answer a check of a session with what was true before.
const TRUSTED: Duration = Duration::from_secs(1);

/// Who answers on a connection. A later one with the same number began at another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    pub(super) pid: i32,
    pub(super) began: String,
}

/// A connection that can be written, as far as is known.
pub(super) struct Connection {
    pub(super) client: ClientWrapper,
    pub(super) backend: Backend,
    made_at: Instant,
    asked_at: Instant,
}

/// Makes connections.
pub(super) struct Connector {
    url: PostgresUrl,
    tls: Tls,
    settings: String,
    patience: Duration,
    /// Connections from before this moment may go to a server that has stopped, or has become a standby.
    distrusted: Mutex<Option<Instant>>,
}

/// Connects by a shared [`Connector`].
pub(super) struct Shared(Arc<Connector>);

/// A pool of connections, made on first use.
pub(super) type Connections = Pool<Shared>;

/// A connection from a pool.
pub(super) type Pooled = Object<Shared>;

impl Connector {
    pub(super) fn new(options: &PostgresOptions) -> Self {
        let (url, tls, patience) = (options.url.clone(), options.tls.clone(), options.patience);
        Self { url, tls, settings: settings(patience), patience, distrusted: Mutex::default() }
    }

    /// How long to wait for a connection: each host may take its time.
    pub(super) fn patience(&self) -> Duration {
        self.patience * self.url.hosts().max(1)
    }

    /// What it means if that was not enough.
    pub(super) fn too_late(&self) -> Failure {
        Failure::Lost(format!("PostgreSQL: no connection within {:?}", self.patience()))
    }

    /// A pool of at most `size` connections.
    pub(super) fn pool(self: &Arc<Self>, size: u16) -> Result<Connections> {
        let within = Some(self.patience);
        let timeouts = Timeouts { wait: within, create: Some(self.patience()), recycle: within };
        let pool = Pool::builder(Shared(Arc::clone(self))).max_size(size.max(1).into()).timeouts(timeouts);
        pool.runtime(Runtime::Tokio1).build().map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Drops all connections that exist, when they are used next: one of them was ended by the server, or went to a server
    /// that only reads.
    pub(super) fn distrust(&self) {
        *self.distrusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Connects to the first host that can be written, and prepares the connection.
    pub(super) async fn connect(&self) -> Outcome<Connection> {
        let made_at = Instant::now();
        let client = if self.url.needs_tls() {
            let tls = MakeRustlsConnect::new((*self.tls.client()).clone());
            let (client, connection) = self.url.config().connect(tls).await?;
            ClientWrapper::new(client, drive(connection))
        } else {
            let (client, connection) = self.url.config().connect(NoTls).await?;
            ClientWrapper::new(client, drive(connection))
        };
        client.batch_execute(&self.settings).await?;
        let server = client.query_one(SERVER, &[]).await?;
        check_server(&server)?;
        let backend = Backend { pid: get(&server, "pid")?, began: get(&server, "began")? };
        Ok(Connection { client, backend, made_at, asked_at: Instant::now() })
    }
}

const SERVER: &str = "SELECT pid, backend_start::text AS began, current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS version_number, current_setting('server_encoding') AS encoding
    FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// What every connection sets first. A server or a role with `synchronous_commit = off` could forget a logout that was
/// acknowledged; stronger settings stay.
fn settings(patience: Duration) -> String {
    let within = patience.as_millis().max(1);
    format!(
        "SET search_path = {SCHEMA}, pg_temp; SET timezone = 'UTC'; SET jit = off;
         SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off;
         SET statement_timeout = {within}; SET lock_timeout = {within};
         SET idle_in_transaction_session_timeout = {within};
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
}

fn check_server(server: &Row) -> Outcome<()> {
    let version: String = get(server, "version")?;
    if get::<i32>(server, "version_number")? < OLDEST {
        let text = format!("the server is PostgreSQL {version}, and Portico needs 13 or newer");
        return Err(Failure::Lost(text));
    }
    let encoding: String = get(server, "encoding")?;
    if encoding != "UTF8" {
        let text = format!("the database has the encoding {encoding}, and Portico needs UTF8");
        return Err(Failure::Lost(text));
    }
    Ok(())
}

/// Moves the data of a connection until it ends.
fn drive<S, T>(connection: tokio_postgres::Connection<S, T>) -> tokio::task::JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            let failure = StoreError::from(Failure::from(error));
            tracing::debug!(error = %failure, "a connection to PostgreSQL has ended");
        }
    })
}

impl Manager for Shared {
    type Type = Connection;
    type Error = Failure;

    async fn create(&self) -> Outcome<Connection> {
        self.0.connect().await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Failure> {
        let distrusted = *self.0.distrusted.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.client.is_closed() || distrusted.is_some_and(|since| connection.made_at <= since) {
            return Err(RecycleError::message("it has ended"));
        }
        if connection.asked_at.elapsed() > TRUSTED {
            let answer =
                connection.client.simple_query("SHOW transaction_read_only").await.map_err(Failure::from)?;
            let can_be_written = |row: &SimpleQueryRow| row.get(0) == Some("off");
            if !answer.iter().any(|part| matches!(part, SimpleQueryMessage::Row(row) if can_be_written(row)))
            {
                self.0.distrust();
                return Err(RecycleError::message("its server only reads"));
            }
            connection.asked_at = Instant::now();
        }
        Ok(())
    }
}
