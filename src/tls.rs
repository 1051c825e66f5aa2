//! Whom we trust when we connect: the one place that sets up TLS for every outgoing connection.
//!
//! A server's certificate has to chain to a root that is built in (Mozilla's), to one of the operating system's, or
//! to one of the operator's own (`tls.ca_file`).

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::thread;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use rustls::{AlertDescription, CertificateError, ClientConfig, OtherError, PeerIncompatible, RootCertStore};

/// TLS for outgoing connections. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    /// Loaded when first needed: to read the roots takes longer than everything else at the start.
    loaded: Arc<LazyLock<Loaded, Load>>,
    ca_file: Option<PathBuf>,
}

type Load = Box<dyn FnOnce() -> Loaded + Send>;

struct Loaded {
    client: Arc<ClientConfig>,
    /// What of the operating system's roots cannot be used.
    troubles: Vec<String>,
}

/// Why a file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// There is no certificate in it.
    #[error("{} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", .0.display())]
    Empty(PathBuf),
    /// One of its certificates cannot be read.
    #[error("certificate {number} in {} is malformed: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why there is no secure connection to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The certificate was valid once.
    #[error("the server's certificate has expired")]
    Expired,
    /// The certificate will be valid later.
    #[error("the server's certificate is not valid yet")]
    NotYetValid,
    /// The certificate is for another host.
    #[error("the server's certificate is for another name")]
    WrongName,
    /// The certificate does not chain to any root that is trusted here.
    #[error(
        "the server's certificate is self-signed or was issued by an unknown CA (tls.ca_file can name it)"
    )]
    UnknownIssuer,
    /// The certificate is a CA's (RFC 5280 §4.2.1.9), and no server's. Self-signed ones often are.
    #[error(
        "the server's certificate is a CA's own certificate, as self-signed ones often are: give the server one of \
         its own, issued by that CA (tls.ca_file can name the CA)"
    )]
    CaCertificate,
    /// The certificate is of X.509 version 1 or 2.
    #[error("the server's certificate is of an old version of X.509; it has to be of version 3")]
    OldCertificate,
    /// The certificate is bad in another way.
    #[error("the server's certificate is not acceptable")]
    BadCertificate,
    /// The server knows TLS 1.1 at most.
    #[error("the server supports neither TLS 1.2 nor TLS 1.3")]
    OldVersion,
    /// What the server sent is not TLS.
    #[error("the server does not speak TLS")]
    NotTls,
    /// The server hung up in the handshake, without a word.
    #[error("the server ended the connection during the TLS handshake; does it speak TLS?")]
    Ended,
    /// The server said no.
    #[error("the server refused the TLS connection with the alert {}", alert_name(*.0))]
    Alert(AlertDescription),
    /// Client and server did not agree.
    #[error("the TLS handshake failed")]
    Failed,
}

impl TlsFault {
    /// A code, for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Expired => "tls_certificate_expired",
            Self::NotYetValid => "tls_certificate_not_yet_valid",
            Self::WrongName => "tls_certificate_wrong_name",
            Self::UnknownIssuer => "tls_unknown_issuer",
            Self::CaCertificate => "tls_ca_certificate",
            Self::BadCertificate | Self::OldCertificate => "tls_bad_certificate",
            Self::OldVersion => "tls_old_version",
            Self::NotTls => "tls_not_spoken",
            Self::Ended => "tls_handshake_ended",
            Self::Alert(_) | Self::Failed => "tls_failed",
        }
    }

    /// What was wrong with TLS, if that is what an error is about.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        causes(error).find_map(|error| error.downcast_ref().map(Self::of_rustls))
    }

    /// The same of an error of the handshake, in which the end of the connection is such a fault.
    pub fn of_handshake(error: &(dyn Error + 'static)) -> Option<Self> {
        let has_ended = |error: &io::Error| {
            use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
            matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
        };
        let ended = || causes(error).any(|error| error.downcast_ref().is_some_and(has_ended));
        Self::of(error).or_else(|| ended().then_some(Self::Ended))
    }

    fn of_rustls(error: &rustls::Error) -> Self {
        use CertificateError as Certificate;
        match error {
            rustls::Error::InvalidCertificate(certificate) => match certificate {
                Certificate::Expired | Certificate::ExpiredContext { .. } => Self::Expired,
                Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => Self::NotYetValid,
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => Self::WrongName,
                // A CA of the same name that did not sign it is another one.
                Certificate::UnknownIssuer | Certificate::BadSignature => Self::UnknownIssuer,
                Certificate::Other(OtherError(error)) => match error.downcast_ref() {
                    Some(webpki::Error::CaUsedAsEndEntity) => Self::CaCertificate,
                    Some(webpki::Error::UnsupportedCertVersion) => Self::OldCertificate,
                    _ => Self::BadCertificate,
                },
                _ => Self::BadCertificate,
            },
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Self::OldVersion,
            rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => Self::WrongName,
            rustls::Error::AlertReceived(alert) => Self::Alert(*alert),
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            _ => Self::Failed,
        }
    }
}

/// An error, and all that it wraps.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        // The source of an error of the operating system's is that of what it wraps, which is left out.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

/// As the RFCs write it.
fn alert_name(alert: AlertDescription) -> String {
    let name = format!("{alert:?}");
    let begins = |at: usize| name[..at].ends_with(|before: char| before.is_ascii_lowercase());
    let letters = name.char_indices().flat_map(|(at, letter)| {
        let gap = (letter.is_ascii_uppercase() && begins(at)).then_some('_');
        gap.into_iter().chain([letter.to_ascii_lowercase()])
    });
    letters.collect()
}

impl Tls {
    /// Trusts the roots of this file, too, whose content is `pem`: one certificate in PEM, or several.
    ///
    /// # Errors
    /// [`CaFileError`].
    pub fn with_ca_file(path: &Path, pem: &[u8]) -> Result<Self, CaFileError> {
        let own = own_roots(path, pem)?;
        Ok(Self { loaded: Arc::new(LazyLock::new(Box::new(|| load(own)))), ca_file: Some(path.to_owned()) })
    }

    /// Loads the roots in a thread of its own, so that they are there when they are needed, and puts into the log
    /// what of the operating system's cannot be used.
    pub fn load_ahead(&self) {
        let tls = self.clone();
        // Without a thread, whoever needs them first loads them.
        let _ = thread::Builder::new().name("tls-roots".into()).spawn(move || tls.log_troubles());
    }

    /// The file with the operator's own roots, if there is one.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    fn log_troubles(&self) {
        // Where the operator names them they are meant to be there.
        let are_named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
        for error in &self.loaded.troubles {
            if are_named {
                tracing::warn!(error, "roots that SSL_CERT_FILE or SSL_CERT_DIR names cannot be used");
            } else {
                tracing::debug!(error, "some roots of the operating system cannot be used");
            }
        }
    }

    /// For connections that are made by hand.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.loaded.client)
    }
}

/// The roots that are built in, and the operating system's.
impl Default for Tls {
    fn default() -> Self {
        static COMMON: LazyLock<Tls> = LazyLock::new(|| {
            let load: Load = Box::new(|| load(Vec::new()));
            Tls { loaded: Arc::new(LazyLock::new(load)), ca_file: None }
        });
        COMMON.clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

/// The roots that are built in, the operating system's, and these.
fn load(own: Vec<TrustAnchor<'static>>) -> Loaded {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // What is missing or malformed there leaves the others: containers often have none at all.
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    roots.extend(own);
    Loaded { client: client(roots), troubles: system.errors.iter().map(ToString::to_string).collect() }
}

fn own_roots(path: &Path, pem: &[u8]) -> Result<Vec<TrustAnchor<'static>>, CaFileError> {
    let mut roots = RootCertStore::empty();
    for (before, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let malformed =
            |reason: String| CaFileError::Malformed { path: path.to_owned(), number: before + 1, reason };
        let certificate = certificate.map_err(|error| malformed(error.to_string()))?;
        roots.add(certificate).map_err(|error| malformed(error.to_string()))?;
    }
    if roots.is_empty() { Err(CaFileError::Empty(path.to_owned())) } else { Ok(roots.roots) }
}

fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap_or_else(|_| unreachable!("ring has ciphers for TLS 1.2 and 1.3"));
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &[u8]) -> Result<Tls, String> {
        Tls::with_ca_file(Path::new("ca.pem"), text).map_err(|error| error.to_string())
    }

    fn ca(name: &str) -> String {
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn a_file_with_one_certificate_or_several_is_taken_whatever_stands_around_them() {
        loaded(ca("a").as_bytes()).unwrap();
        loaded(format!("Our roots\n{}\n# the other\r\n{}", ca("a"), ca("b")).as_bytes()).unwrap();
    }

    #[test]
    fn a_bad_file_is_told_with_what_is_wrong_with_it() {
        let cut = ca("a").replace("-----END CERTIFICATE-----", "");
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let second = format!("{}{nonsense}", ca("a"));
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for (text, word) in [
            (&b""[..], "holds no certificate"),
            (b"\x30\x82\x01\x0a", "holds no certificate"),
            (key.as_bytes(), "holds no certificate"),
            (cut.as_bytes(), "certificate 1 in"),
            (nonsense.as_bytes(), "certificate 1 in"),
            (second.as_bytes(), "certificate 2 in"),
        ] {
            let error = loaded(text).unwrap_err();
            assert!(error.contains(word) && error.contains("ca.pem"), "{error}");
        }
    }

    #[test]
    fn what_went_wrong_is_found_inside_other_errors() {
        let inside = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, inside));
        assert_eq!(TlsFault::of(&wrapped), Some(TlsFault::UnknownIssuer));
        assert_eq!(TlsFault::of(&io::Error::other("x")), None);
        let end = io::Error::other(io::Error::from(io::ErrorKind::UnexpectedEof));
        assert_eq!((TlsFault::of(&end), TlsFault::of_handshake(&end)), (None, Some(TlsFault::Ended)));
        assert_eq!(TlsFault::of_handshake(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }

    #[test]
    fn an_alert_is_told_by_its_name() {
        for (alert, name) in [
            (AlertDescription::HandshakeFailure, "handshake_failure"),
            (AlertDescription::UnknownCA, "unknown_ca"),
            (AlertDescription::InternalError, "internal_error"),
        ] {
            let fault = TlsFault::of_rustls(&rustls::Error::AlertReceived(alert));
            assert!(fault.to_string().ends_with(&format!("the alert {name}")), "{fault}");
        }
    }
}
