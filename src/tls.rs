//! TLS and the trusted CAs for every outgoing connection.
//!
//! A server's certificate must chain to a built-in root (Mozilla's), to a root of the operating system, or
//! to one of the operator's own CAs (`tls.ca_file`).

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

use crate::shown;

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
    /// The operating system's roots that cannot be used, and why.
    troubles: Vec<String>,
}

/// The reason why a file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// It contains no certificate.
    #[error("{} contains no certificate in PEM (-----BEGIN CERTIFICATE-----)", shown::path(.0))]
    Empty(PathBuf),
    /// One of its certificates cannot be read.
    #[error("certificate {number} in {} is malformed: {reason}", shown::path(path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which one, counted from 1.
        number: usize,
        /// The reason.
        reason: String,
    },
}

/// The reason why TLS with a server failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The certificate has expired.
    #[error("the server's certificate has expired")]
    Expired,
    /// The certificate is not valid yet.
    #[error("the server's certificate is not valid yet")]
    NotYetValid,
    /// The certificate is for another host.
    #[error("the server's certificate is for another name")]
    WrongName,
    /// The certificate does not chain to any trusted root.
    #[error(
        "the server's certificate is self-signed or was issued by an unknown CA (set tls.ca_file to trust it)"
    )]
    UnknownIssuer,
    /// The certificate is a CA's own (RFC 5280 §4.2.1.9), not a server's. Self-signed certificates often are.
    #[error(
        "the server uses a CA's own certificate, as with many self-signed ones: give the server a certificate \
         issued by that CA (set tls.ca_file to trust the CA)"
    )]
    CaCertificate,
    /// The certificate is of X.509 version 1 or 2.
    #[error("the server's certificate has an old version of X.509; it must have version 3")]
    OldCertificate,
    /// The certificate is invalid for another reason.
    #[error("the server's certificate is invalid")]
    BadCertificate,
    /// The server knows TLS 1.1 at most.
    #[error("the server supports neither TLS 1.2 nor TLS 1.3")]
    OldVersion,
    /// The server's answer is not TLS.
    #[error("the server does not speak TLS")]
    NotTls,
    /// The server closed the connection during the handshake, without an alert.
    #[error("the server ended the connection during the TLS handshake; does it speak TLS?")]
    Ended,
    /// The server sent an alert.
    #[error("the server refused the TLS connection with the alert {}", alert_name(*.0))]
    Alert(AlertDescription),
    /// The handshake failed for another reason.
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

    /// The TLS fault in an error, if there is one.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        causes(error).find_map(|error| error.downcast_ref().map(Self::of_rustls))
    }

    /// The same for an error of the handshake, in which a closed connection counts as such a fault.
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
                // A CA with the same name that did not sign the certificate is another CA.
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

/// An error, and all errors that it wraps.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        // The source of an `io::Error` skips the error that it wraps, so this takes the wrapped error itself.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

/// The name of an alert, as in the RFCs.
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
    /// Also trusts the roots in this file with the content `pem`: one or several certificates in PEM.
    ///
    /// # Errors
    /// [`CaFileError`].
    pub fn with_ca_file(path: &Path, pem: &[u8]) -> Result<Self, CaFileError> {
        let own = own_roots(path, pem)?;
        Ok(Self { loaded: Arc::new(LazyLock::new(Box::new(|| load(own)))), ca_file: Some(path.to_owned()) })
    }

    /// Loads the roots in a thread of its own, so that they are there when they are needed. Logs the roots of the
    /// operating system that cannot be used.
    pub fn load_ahead(&self) {
        let tls = self.clone();
        // If no thread can start, the first connection loads them.
        let _ = thread::Builder::new().name("tls-roots".into()).spawn(move || tls.log_troubles());
    }

    /// The file with the operator's own CAs, if there is one.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    fn log_troubles(&self) {
        // If the operator names them, they must be usable.
        let are_named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
        for error in &self.loaded.troubles {
            if are_named {
                tracing::warn!(error, "cannot use roots that SSL_CERT_FILE or SSL_CERT_DIR names");
            } else {
                tracing::debug!(error, "cannot use some roots of the operating system");
            }
        }
    }

    /// The configuration for connections without the HTTP client.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.loaded.client)
    }
}

/// The built-in roots, and those of the operating system.
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

/// The built-in roots, those of the operating system, and these.
fn load(own: Vec<TrustAnchor<'static>>) -> Loaded {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // Missing or malformed roots do not affect the others: containers often have none.
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
            (&b""[..], "contains no certificate"),
            (b"\x30\x82\x01\x0a", "contains no certificate"),
            (key.as_bytes(), "contains no certificate"),
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
