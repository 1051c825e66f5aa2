//! Migrates the tables to the schema of this program, or rejects them and leaves them unchanged.

use std::time::Duration;

use tokio_postgres::Client;

use super::connect::{Connection, SCHEMA};
use super::failure::{Failure, Outcome};
use crate::store::StoreError;

/// Step `n` leads from schema version `n` to `n + 1`. Released steps never change; new ones are appended. During an
/// upgrade, daemons of the version before use the tables too: a step adds, and a later version removes.
const STEPS: &[&str] = &[
    include_str!("../../../migrations/postgres/0001_initial.sql"),
    include_str!("../../../migrations/postgres/0002_web_sign_ins.sql"),
    include_str!("../../../migrations/postgres/0003_signers_until.sql"),
];

/// The schema version of this program.
pub(super) const KNOWN: u32 = STEPS.len() as u32;

/// The advisory lock of the one who migrates.
const LOCK: i64 = i64::from_be_bytes(*b"Portico\0");

/// How often to ask for the lock. To wait for it inside the server would hold a snapshot, and a step that builds an index
/// concurrently would wait for that snapshot.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How long another daemon may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the missing steps, each in its own transaction together with the version that it reaches.
///
/// # Errors
/// [`StoreError::Newer`] for tables of a later version; [`StoreError::Corrupt`] if the schema belongs to another program.
pub(super) async fn migrate(connection: &Connection) -> Outcome<()> {
    let client = &connection.client;
    if version(client).await? == KNOWN {
        return Ok(());
    }
    // An index of a large table takes its time.
    client.batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0").await?;
    lock(client).await?;
    // The lock goes with the connection if a step fails.
    run_steps(client).await?;
    client.query_one("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    Ok(())
}

async fn lock(client: &Client) -> Outcome<()> {
    let taken = async {
        loop {
            let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?;
            if row.try_get(0)? {
                return Ok(());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    let late = || Failure::Lost("another daemon has been migrating the tables for two minutes".into());
    tokio::time::timeout(PATIENCE, taken).await.unwrap_or_else(|_| Err(late()))
}

async fn run_steps(client: &Client) -> Outcome<()> {
    loop {
        let found = version(client).await?;
        let Some(step) = STEPS.get(found as usize) else { return Ok(()) };
        let next = found + 1;
        let prepare = if found > 0 {
            String::new()
        } else {
            let schema = if schema_exists(client).await? { "" } else { "CREATE SCHEMA portico;" };
            format!(
                "{schema} CREATE TABLE portico.schema_version (version integer NOT NULL);
                INSERT INTO portico.schema_version VALUES (0);"
            )
        };
        let whole =
            format!("BEGIN; {prepare} {step}; UPDATE portico.schema_version SET version = {next}; COMMIT");
        client.batch_execute(&whole).await?;
        tracing::info!(version = next, "store schema migrated");
    }
}

/// The schema version of the tables; 0: there are none. Fails if they are of a later version, or not Portico's.
pub(super) async fn version(client: &Client) -> Outcome<u32> {
    let tables = "SELECT count(*), coalesce(bool_or(relname = 'schema_version'), false)
        FROM pg_class WHERE relkind IN ('r', 'p', 'v') AND relnamespace = to_regnamespace($1)";
    let row = client.query_one(tables, &[&SCHEMA]).await?;
    let (count, ours): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
    if !ours && count > 0 {
        let text = format!("the schema {SCHEMA} of the database belongs to another program");
        return Err(StoreError::Corrupt(text).into());
    }
    if !ours {
        return Ok(0);
    }
    let row = client.query_opt("SELECT version FROM portico.schema_version", &[]).await?;
    let found: i32 = row.map_or(Ok(-1), |row| row.try_get(0))?;
    let found = u32::try_from(found)
        .map_err(|_| StoreError::Corrupt(format!("the schema {SCHEMA} has no version of its tables")))?;
    if found > KNOWN { Err(StoreError::Newer { found, known: KNOWN }.into()) } else { Ok(found) }
}

async fn schema_exists(client: &Client) -> Outcome<bool> {
    Ok(client.query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&SCHEMA]).await?.try_get(0)?)
}
