//! A certificate authority of a business's own, and servers with certificates of it, good ones and bad ones.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::Connector;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The authority.
pub(crate) struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What is wrong with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Nothing,
    Expired,
    NotYetValid,
    WrongName,
    /// It ends the handshake with `protocol_version` (RFC 5246 §7.2.2), as OpenSSL does.
    OldTls,
    /// It answers in TLS 1.1, whatever it is asked for.
    AnswersInOldTls,
    NoTls,
    /// It hangs up when the client has begun.
    HangsUp,
    /// It ends the handshake with `handshake_failure`, as where no cipher is in common.
    Refuses,
}

/// A server that ends TLS before another one. It stops when it is dropped.
pub(crate) struct TlsFront {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "A business's own CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// Its certificate.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes its certificate into a folder; returns the `[tls]` section that names it.
    pub(crate) fn trusted_in(&self, folder: &Path) -> String {
        std::fs::write(folder.join("ca.pem"), self.pem()).unwrap();
        "[tls]\nca_file = \"ca.pem\"\n".into()
    }

    /// For a client that trusts nobody else.
    pub(crate) fn connector(&self) -> Connector {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Connector::Rustls(Arc::new(config))
    }

    /// The same, but the server shows the CA's own certificate.
    pub(crate) async fn itself_before(&self, behind: SocketAddr) -> TlsFront {
        serving(config(self.issuer.der(), self.issuer.key()), behind, Flaw::Nothing).await
    }

    /// TLS on a port of its own, before the plain server at `behind`.
    pub(crate) async fn before(&self, behind: SocketAddr, flaw: Flaw) -> TlsFront {
        serving(self.server(flaw), behind, flaw).await
    }

    /// What a server shows.
    pub(crate) fn server(&self, flaw: Flaw) -> ServerConfig {
        let name = if flaw == Flaw::WrongName { "elsewhere.example" } else { "localhost" };
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = match flaw {
            Flaw::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Flaw::NotYetValid => (date_time_ymd(3000, 1, 1), date_time_ymd(3001, 1, 1)),
            _ => (date_time_ymd(2020, 1, 1), date_time_ymd(3000, 1, 1)),
        };
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        config(certificate.der(), &key)
    }
}

fn config(certificate: &CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap()
}

/// A server with a self-signed certificate, as `openssl req -x509` makes them.
pub(crate) async fn self_signed(is_ca: IsCa, behind: SocketAddr) -> TlsFront {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = is_ca;
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    serving(config(certificate.der(), &key), behind, Flaw::Nothing).await
}

async fn serving(config: ServerConfig, behind: SocketAddr, flaw: Flaw) -> TlsFront {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let stop = CancellationToken::new();
    let accepting = async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, acceptor.clone(), behind, flaw));
        }
    };
    tokio::spawn(stop.clone().run_until_cancelled_owned(accepting));
    TlsFront { address, _stop: stop.drop_guard() }
}

impl TlsFront {
    /// Where it is, by the name of its certificate.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }
}

async fn serve(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    behind: SocketAddr,
    flaw: Flaw,
) -> io::Result<()> {
    let answer: &[u8] = match flaw {
        Flaw::OldTls => &[21, 3, 2, 0, 2, 2, 70],
        Flaw::AnswersInOldTls => &server_hello_of_tls_1_1(),
        Flaw::HangsUp => b"",
        Flaw::Refuses => &[21, 3, 3, 0, 2, 2, 40],
        Flaw::NoTls => b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        _ => {
            let mut secure = acceptor.accept(stream).await?;
            let mut plain = TcpStream::connect(behind).await?;
            copy_bidirectional(&mut secure, &mut plain).await?;
            return Ok(());
        }
    };
    let _ = stream.read(&mut [0; 4096]).await?;
    if flaw == Flaw::HangsUp {
        return Ok(());
    }
    stream.write_all(answer).await?;
    // Until the client hangs up: it reads what was sent before.
    while stream.read(&mut [0; 4096]).await? > 0 {}
    Ok(())
}

/// RFC 4346 §7.4.1.3.
fn server_hello_of_tls_1_1() -> Vec<u8> {
    let hello = [&[3, 2][..], &[7; 32], &[0], &[0xc0, 0x13], &[0]].concat();
    let message = [&[2, 0, 0, hello.len() as u8][..], &hello].concat();
    [&[22, 3, 2, 0, message.len() as u8][..], &message].concat()
}
