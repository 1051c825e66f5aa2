//! Reads, on connections of their own: they see the last commit and never wait for a write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed::Object;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_postgres::{IsolationLevel, Row};

use super::closed;
use super::connect::{Connection, Connections, Connector, Pooled};
use super::failure::{Failure, Outcome};
use super::query::{Db, Values};
use crate::store::Result;

/// A pool of connections for reading.
pub(super) struct Readers {
    slots: Semaphore,
    size: u32,
    pool: Connections,
    connector: Arc<Connector>,
    patience: Duration,
}

impl Readers {
    /// At most `size` connections.
    pub(super) fn new(connector: &Arc<Connector>, size: u16, patience: Duration) -> Result<Self> {
        let size = size.max(1);
        let (slots, pool) = (Semaphore::new(size.into()), connector.pool(size)?);
        Ok(Self { slots, size: size.into(), pool, connector: Arc::clone(connector), patience })
    }

    /// All rows of a query.
    pub(super) async fn all(&self, sql: &str, values: Values<'_>) -> Outcome<Vec<Row>> {
        self.rows(sql, values, true).await
    }

    /// The rows of a query that is too rare and of too many forms to stay prepared.
    pub(super) async fn all_once(&self, sql: &str, values: Values<'_>) -> Outcome<Vec<Row>> {
        self.rows(sql, values, false).await
    }

    /// The row of a query that has one at most.
    pub(super) async fn first(&self, sql: &str, values: Values<'_>) -> Outcome<Option<Row>> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// Runs several queries on one snapshot of the data.
    pub(super) async fn snapshot<T>(
        &self,
        work: impl for<'d> Fn(Db<'d>) -> BoxFuture<'d, Outcome<T>> + Send + Sync,
    ) -> Outcome<T> {
        let mut is_second = false;
        loop {
            let started = Instant::now();
            let mut connection = self.connection().await?;
            let read = timeout(self.patience, within_snapshot(&mut connection, &work)).await;
            match self.settle(connection, read.unwrap_or_else(|_| Err(late()))) {
                Err(Failure::Lost(_) | Failure::Gone(_))
                    if !is_second && started.elapsed() < self.patience =>
                {
                    is_second = true
                }
                answer => return answer,
            }
        }
    }

    /// A connection that has rested may have been lost in the meantime, so a second one is tried.
    async fn rows(&self, sql: &str, values: Values<'_>, prepare: bool) -> Outcome<Vec<Row>> {
        let mut is_second = false;
        loop {
            let started = Instant::now();
            let connection = self.connection().await?;
            let db = Db::on(&connection.client);
            let read =
                async { if prepare { db.all(sql, values).await } else { db.all_once(sql, values).await } };
            let read = timeout(self.patience, read).await.unwrap_or_else(|_| Err(late()));
            match self.settle(connection, read) {
                Err(Failure::Lost(_) | Failure::Gone(_))
                    if !is_second && started.elapsed() < self.patience =>
                {
                    is_second = true
                }
                answer => return answer,
            }
        }
    }

    async fn connection(&self) -> Outcome<Reading<'_>> {
        let slot = timeout(self.patience, self.slots.acquire()).await.map_err(|_| busy())?;
        let slot = slot.map_err(|_| closed())?;
        Ok(Reading { pooled: self.pool.get().await?, _slot: slot })
    }

    /// A connection that has failed is not used again.
    fn settle<T>(&self, connection: Reading<'_>, answer: Outcome<T>) -> Outcome<T> {
        if matches!(answer, Err(Failure::Gone(_))) {
            self.connector.distrust();
        }
        if matches!(answer, Err(Failure::Lost(_) | Failure::Gone(_))) {
            drop(Object::take(connection.pooled));
        }
        answer
    }

    /// Waits for running reads, rejects new ones, closes the connections.
    pub(super) async fn close(&self) {
        if let Ok(all) = self.slots.acquire_many(self.size).await {
            self.slots.close();
            drop(all);
            self.pool.close();
        }
    }
}

/// A connection, and the right to use one.
struct Reading<'a> {
    pooled: Pooled,
    _slot: tokio::sync::SemaphorePermit<'a>,
}

impl std::ops::Deref for Reading<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.pooled
    }
}

async fn within_snapshot<T>(
    connection: &mut Reading<'_>,
    work: impl for<'d> Fn(Db<'d>) -> BoxFuture<'d, Outcome<T>>,
) -> Outcome<T> {
    let transaction = connection.pooled.client.build_transaction();
    let transaction = transaction.isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = transaction.start().await?;
    let answer = work(Db::within(&transaction)).await?;
    transaction.commit().await?;
    Ok(answer)
}

fn late() -> Failure {
    Failure::Lost("PostgreSQL does not answer in time".into())
}

fn busy() -> Failure {
    Failure::Lost("all connections to PostgreSQL are busy".into())
}
