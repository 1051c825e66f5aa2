//! The one way out to web servers that others name: certificates are checked, redirects not followed, proxies not
//! used, private addresses refused unless they are allowed, and no body is read beyond its bound.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Request, StatusCode, Url};

use crate::address;
use crate::quoted::one_line;
use crate::tls::{Tls, TlsFault};

/// Without this header, a server may compress (RFC 9110 §12.5.3), and a bound would not bound.
pub const UNCOMPRESSED: (HeaderName, HeaderValue) = (ACCEPT_ENCODING, HeaderValue::from_static("identity"));

/// The names of codings are shorter; one that is not is cut, in characters.
const MAX_CODING: usize = 40;

/// Why there is no answer. None of them says what was asked: a URL may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The server is on a private address, and that is not allowed.
    #[error("its address is not public")]
    Private,
    /// Plain HTTP, where only a loopback address that is allowed may be asked so.
    #[error("it is not https")]
    Insecure,
    /// The answer is larger than its bound.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// No secure connection.
    #[error("no secure connection: {0}")]
    Tls(TlsFault),
    /// The body is compressed, although that was not asked for.
    #[error("the answer is compressed ({0}), although identity was asked for")]
    Encoded(String),
    /// No connection, no answer, or not in time.
    #[error("{0}")]
    Failed(reqwest::Error),
}

impl From<reqwest::Error> for OutboundError {
    fn from(error: reqwest::Error) -> Self {
        if causes(&error).any(|cause| cause.is::<NotPublic>()) {
            return Self::Private;
        }
        TlsFault::of_request(&error).map_or_else(|| Self::Failed(error.without_url()), Self::Tls)
    }
}

impl OutboundError {
    /// What is wrong, for people: of a host that cannot be connected, only the last cause tells.
    pub(crate) fn in_full(&self) -> String {
        let Self::Failed(error) = self else { return self.to_string() };
        if error.is_timeout() {
            return "no answer in time".into();
        }
        if !error.is_connect() && causes(error).any(broke_off) {
            return "the connection broke off before the answer was complete".into();
        }
        causes(error).last().unwrap_or(error).to_string()
    }
}

/// Whether this cause is that the connection ended. A TLS library's words for it are about itself.
fn broke_off(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<io::Error>()
        || cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
}

/// An error and its causes, the outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status; 3xx are not followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Asks web servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    http: Client,
    allow_private: bool,
}

impl Outbound {
    /// Every question takes at most `timeout`. `allow_private`: servers may lie on private addresses, and at
    /// loopback ones speak plain HTTP.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(timeout: Duration, allow_private: bool, tls: &Tls) -> reqwest::Result<Self> {
        let http = tls
            .http()
            .https_only(!allow_private)
            .timeout(timeout)
            .dns_resolver(Arc::new(PublicResolver { allow_private }))
            .default_headers(HeaderMap::from_iter([UNCOMPRESSED]))
            .build()?;
        Ok(Self { http, allow_private })
    }

    /// Whether servers may lie on private addresses.
    pub fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// A request to be filled in.
    pub fn client(&self) -> &Client {
        &self.http
    }

    /// Sends a request; the answer's body is at most `max_body` bytes.
    ///
    /// # Errors
    /// [`OutboundError`]. An answer that says no is none.
    pub async fn send(&self, request: Request, max_body: usize) -> Result<Answer, OutboundError> {
        self.check(request.url())?;
        let mut response = self.http.execute(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(coding) = compression(&headers) {
            return Err(OutboundError::Encoded(coding));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > max_body {
                return Err(OutboundError::TooLarge(max_body));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    /// The resolver is not asked about addresses that stand in the URL themselves.
    fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let literal = address::literal(url);
        if !self.allow_private && literal.is_some_and(|ip| !address::is_public(ip)) {
            return Err(OutboundError::Private);
        }
        let is_loopback = literal.is_some_and(|ip| ip.is_loopback());
        if url.scheme() == "https" || (self.allow_private && is_loopback) {
            return Ok(());
        }
        Err(OutboundError::Insecure)
    }
}

/// By what a body is compressed, if it is; for people.
pub fn compression(headers: &HeaderMap) -> Option<String> {
    let codings = headers.get_all(CONTENT_ENCODING).into_iter();
    let mut names = codings.map(|coding| String::from_utf8_lossy(coding.as_bytes()).trim().to_owned());
    let name = names.find(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))?;
    Some(one_line(&name, MAX_CODING))
}

/// Resolves names, and gives the addresses that are public: a domain that a stranger named must not lead to the
/// operator's own network.
#[derive(Debug)]
struct PublicResolver {
    allow_private: bool,
}

/// A name leads to private addresses alone.
#[derive(Debug, thiserror::Error)]
#[error("its address is not public")]
struct NotPublic;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let is_usable = |address: &&SocketAddr| allow_private || address::is_public(address.ip());
            let usable: Vec<SocketAddr> = found.iter().filter(is_usable).copied().collect();
            if usable.is_empty() && !found.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn check(url: &str, allow_private: bool) -> Result<(), OutboundError> {
        Outbound::new(Duration::from_secs(1), allow_private, &Tls::default())
            .unwrap()
            .check(&Url::parse(url).unwrap())
    }

    /// What is told of a server that sends this and hangs up.
    async fn told_of(answer: &'static str) -> String {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let serve = tokio::spawn(async move {
            let (mut socket, _) = server.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        });
        let http = Outbound::new(Duration::from_secs(5), true, &Tls::default()).unwrap();
        let failed = http.send(http.client().get(url).build().unwrap(), 100).await.unwrap_err();
        serve.await.unwrap();
        failed.in_full()
    }

    #[tokio::test]
    async fn a_server_that_breaks_off_its_answer_is_told_in_the_same_words_wherever_it_does() {
        for answer in
            ["", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"names"]
        {
            assert_eq!(
                told_of(answer).await,
                "the connection broke off before the answer was complete",
                "{answer}"
            );
        }
        assert!(!told_of("SSH-2.0-OpenSSH\r\n\r\n").await.contains("broke off"));
    }

    #[test]
    fn what_a_tls_library_says_of_a_connection_that_breaks_off_is_not_repeated() {
        let words = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls";
        let broken = io::Error::new(io::ErrorKind::UnexpectedEof, words);
        assert!(causes(&broken).any(broke_off));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_told_as_such() {
        let http = Outbound::new(Duration::from_secs(5), false, &Tls::default()).unwrap();
        let asked = http.send(http.client().get("https://localhost:1/").build().unwrap(), 100).await;
        assert!(matches!(asked, Err(OutboundError::Private)), "{asked:?}");
    }

    #[test]
    fn nobody_leads_us_to_the_operators_own_network_or_past_tls() {
        for url in ["https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/"] {
            assert!(matches!(check(url, false), Err(OutboundError::Private)), "{url}");
            check(url, true).unwrap();
        }
        for url in ["http://93.184.215.14/", "http://example.com/", "http://10.0.0.1/"] {
            assert!(matches!(check(url, true), Err(OutboundError::Insecure)), "{url}");
        }
        check("https://example.com/", false).unwrap();
        check("http://127.0.0.1:1/", true).unwrap();
    }
}
