//! TLS with the server: required over TCP, with a certificate that is checked.

use std::net::SocketAddr;
use std::sync::Arc;

use portico::store::StoreError;
use portico::store::postgres::{PostgresOptions, PostgresStore};
use portico::tls::Tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::store::{new_database, options};
use crate::support::ca::{Ca, Flaw};
use crate::support::postgres::{Postgres, USER};

/// The request for TLS, in PostgreSQL's protocol: its length, and its code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A port before the server of the tests, which has TLS as PostgreSQL has, or has none. It stops when it is dropped.
struct Front {
    address: SocketAddr,
    /// What a client said first, and whether it said more after its request for TLS was refused.
    said: mpsc::UnboundedReceiver<([u8; 8], bool)>,
    _stop: DropGuard,
}

impl Front {
    async fn with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, said) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let accepting = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, sender) = (tls.clone(), sender.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, tls, sender).await;
                });
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(accepting));
        Self { address, said, _stop: stop.drop_guard() }
    }

    async fn of(ca: &Ca, flaw: Flaw) -> Self {
        Self::with(Some(TlsAcceptor::from(Arc::new(ca.server(flaw))))).await
    }

    /// The URL of this database, through this.
    fn url(&self, database: &str, parameters: &str) -> String {
        let name = database.rsplit('/').next().unwrap();
        format!("postgres://{USER}:secret@localhost:{}/{name}{parameters}", self.address.port())
    }
}

async fn serve(
    mut stream: TcpStream,
    tls: Option<TlsAcceptor>,
    said: mpsc::UnboundedSender<([u8; 8], bool)>,
) -> std::io::Result<()> {
    let mut first = [0; 8];
    stream.read_exact(&mut first).await?;
    let mut behind = UnixStream::connect(Postgres::start().folder().join(".s.PGSQL.5432")).await?;
    if first != SSL_REQUEST {
        let _ = said.send((first, true));
        behind.write_all(&first).await?;
        copy_bidirectional(&mut stream, &mut behind).await?;
        return Ok(());
    }
    let Some(tls) = tls else {
        stream.write_all(b"N").await?;
        let more = stream.read(&mut [0; 1024]).await.unwrap_or_default() > 0;
        let _ = said.send((first, more));
        return Ok(());
    };
    stream.write_all(b"S").await?;
    let mut secure = tls.accept(stream).await?;
    copy_bidirectional(&mut secure, &mut behind).await?;
    Ok(())
}

async fn open(url: &str, trusted: Option<&Ca>) -> Result<PostgresStore, StoreError> {
    let tls = trusted.map(|ca| Tls::with_ca_file("ca.pem".as_ref(), ca.pem().as_bytes()).unwrap());
    PostgresStore::open(PostgresOptions { tls: tls.unwrap_or_default(), ..options(url) }).await
}

#[tokio::test]
async fn a_server_with_a_certificate_of_the_businesss_own_ca_is_used_and_every_connection_has_tls() {
    let ca = Ca::new();
    let front = Front::of(&ca, Flaw::Nothing).await;
    let database = new_database().await;
    let store = open(&front.url(&database, ""), Some(&ca)).await.unwrap();
    portico::store::Upkeep::check(&store).await.unwrap();
    assert_eq!(portico::store::Accounts::active_sessions(&store, crate::fixtures::at(1)).await.unwrap(), 0);
}

/// Nobody between Portico and the database learns its password or alters what it says.
#[tokio::test]
async fn a_server_whose_certificate_is_not_good_is_refused_and_the_reason_is_told() {
    let ca = Ca::new();
    for (flaw, trusted, reason) in [
        (Flaw::Nothing, None, "unknown CA"),
        (Flaw::WrongName, Some(&ca), "another name"),
        (Flaw::Expired, Some(&ca), "expired"),
    ] {
        let front = Front::of(&ca, flaw).await;
        let error = open(&front.url(&new_database().await, ""), trusted).await.unwrap_err();
        let StoreError::Unavailable(text) = &error else { panic!("{error}") };
        assert!(text.contains(reason) && text.contains("localhost:"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

/// A downgrade: somebody who can alter the traffic answers that the server has no TLS.
#[tokio::test]
async fn a_server_that_claims_to_have_no_tls_hears_nothing_more() {
    let mut front = Front::with(None).await;
    let error = open(&front.url(&new_database().await, ""), None).await.unwrap_err();
    assert!(error.to_string().contains("does not support TLS"), "{error}");
    assert_eq!(front.said.recv().await, Some((SSL_REQUEST, false)));
}

#[tokio::test]
async fn a_url_that_says_so_does_without_tls() {
    let front = Front::with(None).await;
    let store = open(&front.url(&new_database().await, "?sslmode=disable"), None).await.unwrap();
    portico::store::Upkeep::check(&store).await.unwrap();
}
