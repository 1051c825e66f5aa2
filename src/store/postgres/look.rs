//! What a database is, without changing it.

use tokio::time::timeout;

use super::connect::Connector;
use super::failure::{Failure, Outcome};
use super::{PostgresOptions, lock, migrate};
use crate::store::Result;

/// What a database is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The version of the server.
    pub server: String,
    /// The version of the tables. `None`: there are none yet.
    pub schema: Option<u32>,
    /// The version of the tables that this program makes.
    pub known: u32,
    /// The daemon that uses the database.
    pub user: Option<String>,
}

/// Connects and looks. Changes nothing.
///
/// # Errors
/// As of [`PostgresStore::open`](super::PostgresStore::open).
pub async fn look(options: &PostgresOptions) -> Result<Found> {
    let connector = Connector::new(options);
    let found = timeout(connector.patience(), found(&connector)).await;
    let found = found.unwrap_or_else(|_| Err(connector.too_late()));
    found.map_err(|failure: Failure| super::named(&options.url, failure.into()))
}

async fn found(connector: &Connector) -> Outcome<Found> {
    let connection = connector.connect().await?;
    let row = connection.client.query_one("SHOW server_version", &[]).await?;
    let schema = migrate::version(&connection.client).await?;
    Ok(Found {
        server: row.try_get(0)?,
        schema: Some(schema).filter(|schema| *schema > 0),
        known: migrate::KNOWN,
        user: lock::user_of(&connection).await?,
    })
}
