//! Takes all rows of another backend, in one transaction.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use deadpool_postgres::Transaction;
use futures_util::{SinkExt, TryStreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task;
use uuid::Uuid;

use super::connect::Connector;
use super::failure::{Failure, Outcome};
use super::{PostgresOptions, PostgresStore};
use crate::store::sqlite::export::{self, Export};
use crate::store::transfer::{Moved, Sum, TABLES, Table};
use crate::store::{Result, StoreError, Upkeep};

/// How many bytes travel together.
const CHUNK: usize = 64 * 1024;

/// Moves everything into an empty database, with the ring of access keys, counts it there and compares it. If anything
/// differs or fails, the database stays empty.
///
/// # Errors
/// [`StoreError::Conflict`] if the database is not empty; others as of [`PostgresStore::open`].
pub async fn import(options: PostgresOptions, from: Export, ring: Option<&str>) -> Result<Vec<Moved>> {
    let url = options.url.clone();
    let connector = Connector::new(&options);
    // It makes the tables.
    PostgresStore::open(options).await?.close().await;
    let moved = move_all(&connector, Arc::new(Mutex::new(from)), ring).await;
    moved.map_err(|failure| super::named(&url, failure.into()))
}

async fn move_all(
    connector: &Connector,
    from: Arc<Mutex<Export>>,
    ring: Option<&str>,
) -> Outcome<Vec<Moved>> {
    let mut connection = connector.connect().await?;
    // It may take its time, and nobody waits for it.
    connection
        .client
        .batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        .await?;
    let transaction = connection.client.transaction().await?;
    let mut moved = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        if read_back(&transaction, table).await?.rows > 0 {
            return Err(StoreError::Conflict.into());
        }
        let sent = send(&transaction, table, Arc::clone(&from)).await?;
        let arrived = read_back(&transaction, table).await?;
        if sent != arrived {
            let (sent, arrived) = (sent.rows, arrived.rows);
            let why = format!("of {sent} rows {arrived} arrived, or some are not the same");
            return Err(table.damaged(&why).into());
        }
        moved.push(Moved { table: table.name, rows: arrived.rows });
    }
    let last = from.lock().unwrap_or_else(PoisonError::into_inner).last_audit_number()?;
    // No number is given twice.
    let sql = "SELECT setval(pg_get_serial_sequence('audit', 'number'), $1) WHERE $1 > 0";
    transaction.query(sql, &[&last]).await?;
    if let Some(ring) = ring {
        let revision: [u8; 32] = Sha256::digest(ring).into();
        let sql = "INSERT INTO access_keys (ring, revision) VALUES ($1, $2)";
        transaction.execute(sql, &[&ring, &revision.as_slice()]).await?;
    }
    transaction.commit().await?;
    Ok(moved)
}

/// Sends all rows of a table.
async fn send(
    transaction: &Transaction<'_>,
    table: &'static Table,
    from: Arc<Mutex<Export>>,
) -> Outcome<Sum> {
    let (chunks, mut received) = mpsc::channel::<Bytes>(4);
    let reading = task::spawn_blocking(move || read(table, &from, &chunks));
    let sink = transaction.copy_in(table.copy_in().as_str()).await?;
    let mut sink = pin!(sink);
    while let Some(chunk) = received.recv().await {
        sink.send(chunk).await?;
    }
    let read = reading.await.map_err(|error| Failure::Lost(error.to_string()))?;
    let sum = read?;
    sink.as_mut().finish().await?;
    Ok(sum)
}

/// Reads all rows of a table, where it may block.
fn read(table: &Table, from: &Mutex<Export>, chunks: &mpsc::Sender<Bytes>) -> Result<Sum> {
    let done_by = if table.has_done_by { format!("\t{}", Uuid::nil()) } else { String::new() };
    let mut chunk = BytesMut::new();
    let give =
        |chunk: &mut BytesMut| chunks.blocking_send(chunk.split().freeze()).map_err(|_| export::abandoned());
    let from = from.lock().unwrap_or_else(PoisonError::into_inner);
    let sum = from.rows(table, |line| {
        for part in [line.sent.as_str(), &done_by, "\n"] {
            chunk.extend_from_slice(part.as_bytes());
        }
        if chunk.len() < CHUNK { Ok(()) } else { give(&mut chunk) }
    })?;
    give(&mut chunk)?;
    Ok(sum)
}

/// Reads all rows of a table as they arrived.
async fn read_back(transaction: &Transaction<'_>, table: &Table) -> Outcome<Sum> {
    let rows = transaction.copy_out(table.copy_out().as_str()).await?;
    let mut rows = pin!(rows);
    let mut sum = Sum::default();
    // Each message is one line.
    while let Some(line) = rows.try_next().await? {
        sum.add(line.strip_suffix(b"\n").unwrap_or(&line));
    }
    Ok(sum)
}
