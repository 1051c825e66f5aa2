//! Stands between the store and the server, and loses answers.

use std::io;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::postgres::Postgres;

/// How the next commit is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends before the server hears of the commit.
    CutBefore,
    /// The server commits, and the connection ends before its answer.
    CutAfter,
    /// The server does not hear of the commit, and the connection stays.
    SilentBefore,
    /// The server commits, its answer is lost, and the connection stays.
    SilentAfter,
}

/// It stops when it is dropped.
pub(crate) struct Proxy {
    folder: TempDir,
    next: Arc<Mutex<Option<Fault>>>,
    _stop: DropGuard,
}

impl Proxy {
    pub(crate) fn before(server: &Postgres) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let behind = server.folder().join(".s.PGSQL.5432");
        let next = Arc::<Mutex<Option<Fault>>>::default();
        let (stop, armed) = (CancellationToken::new(), Arc::clone(&next));
        let stopped = stop.clone();
        tokio::spawn(stopped.run_until_cancelled_owned(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (behind, armed) = (behind.clone(), Arc::clone(&armed));
                tokio::spawn(async move {
                    let server = UnixStream::connect(behind).await.unwrap();
                    // A connection that ends is what this is for.
                    let _ = pass(client, server, &armed).await;
                });
            }
        }));
        Self { folder, next, _stop: stop.drop_guard() }
    }

    /// The URL of this database of the server, through this.
    pub(crate) fn url(&self, database: &str) -> String {
        let folder = self.folder.path().to_str().unwrap().replace('/', "%2F");
        let (user, name) = (crate::support::postgres::USER, database.rsplit('/').next().unwrap());
        format!("postgres://{user}@{folder}/{name}")
    }

    /// Disturbs the next commit.
    pub(crate) fn disturb(&self, fault: Fault) {
        *self.next.lock().unwrap() = Some(fault);
    }

    /// Whether the fault has happened.
    pub(crate) fn has_disturbed(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }
}

/// Passes on what both say, until a commit is to be disturbed.
async fn pass(client: UnixStream, server: UnixStream, armed: &Mutex<Option<Fault>>) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut asked = vec![0; 64 << 10];
    let mut told = vec![0; 64 << 10];
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let said = &asked[..read?];
                if said.is_empty() {
                    return Ok(());
                }
                // A commit is sent alone: the store has waited for everything before.
                let fault = said.ends_with(b"COMMIT\0").then(|| armed.lock().unwrap().take()).flatten();
                match fault {
                    None => to_server.write_all(said).await?,
                    Some(Fault::CutBefore) => return Ok(()),
                    Some(Fault::CutAfter) => {
                        to_server.write_all(said).await?;
                        // Its answer has come: it has committed.
                        from_server.readable().await?;
                        return Ok(());
                    }
                    Some(Fault::SilentBefore) => return ignore(from_client, to_server).await,
                    Some(Fault::SilentAfter) => {
                        to_server.write_all(said).await?;
                        return ignore(from_client, to_server).await;
                    }
                }
            }
            read = from_server.read(&mut told) => {
                let said = &told[..read?];
                if said.is_empty() {
                    return Ok(());
                }
                to_client.write_all(said).await?;
            }
        }
    }
}

/// Keeps both connections open and passes nothing on, until the client ends. The server does not learn that, either.
async fn ignore(mut client: impl AsyncRead + Unpin, server: impl AsyncWrite) -> io::Result<()> {
    tokio::io::copy(&mut client, &mut tokio::io::sink()).await?;
    std::future::pending::<()>().await;
    drop(server);
    Ok(())
}
