//! The HTTP client for web servers that others name: it checks certificates, follows no redirects, uses no proxies,
//! refuses private addresses unless they are allowed, and reads no body beyond its bound.

mod client;

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use url::Url;

pub use crate::lookups::NamedBy;
pub use client::{OutboundRequest, Reach, WebAnswer, WebClient};

use crate::address;
use crate::quoted::one_line;
use crate::tls::{Tls, TlsFault};

/// Without this header, a server may compress the body (RFC 9110 §12.5.3), and the bound would not limit its real size.
pub const UNCOMPRESSED: (HeaderName, HeaderValue) = (ACCEPT_ENCODING, HeaderValue::from_static("identity"));

/// Real names of content codings are shorter; a longer name is cut, in characters.
const MAX_CODING: usize = 40;

/// The reason why there is no answer. No error contains the URL, which may contain a secret.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The server has a private address, which is not allowed.
    #[error("its address is not public")]
    Private,
    /// Plain HTTP, which is only allowed for a loopback address, if private addresses are allowed.
    #[error("it is not https")]
    Insecure,
    /// The answer is larger than its bound.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// TLS failed.
    #[error("no secure connection: {0}")]
    Tls(TlsFault),
    /// The body is compressed, although the request asked for no compression.
    #[error("the answer is compressed ({0}), although the request asked for identity")]
    Encoded(String),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// No connection. The reason.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke, or what came was not HTTP. The reason.
    #[error("{0}")]
    Broken(String),
}

/// An answer of a server.
#[derive(Debug)]
pub struct Answer {
    /// The status; 3xx are not followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Sends requests to web servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    http: WebClient,
    allow_private: bool,
}

impl Outbound {
    /// Every request takes at most `timeout`. `allow_private`: servers may have private addresses, and use
    /// plain HTTP at loopback addresses. The operator chooses the servers.
    pub fn new(timeout: Duration, allow_private: bool, tls: &Tls) -> Self {
        Self::to_servers_named_by(NamedBy::Operator, timeout, allow_private, tls)
    }

    /// The same for servers that `named_by` chooses.
    pub fn to_servers_named_by(named_by: NamedBy, timeout: Duration, allow_private: bool, tls: &Tls) -> Self {
        let reach = if allow_private { Reach::Anywhere } else { Reach::Public };
        Self { http: WebClient::new(tls, timeout, reach, named_by), allow_private }
    }

    /// Whether servers may have private addresses.
    pub fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// Sends a request; the answer's body is at most `max_body` bytes.
    ///
    /// # Errors
    /// [`OutboundError`]. An error status is an answer, not an error.
    pub async fn send(&self, request: OutboundRequest, max_body: usize) -> Result<Answer, OutboundError> {
        self.check(&request.url)?;
        let (name, value) = UNCOMPRESSED;
        let answer = self.http.send(request.header(name, value)).await?;
        let (status, headers) = (answer.status, answer.headers.clone());
        if let Some(coding) = compression(&headers) {
            return Err(OutboundError::Encoded(coding));
        }
        Ok(Answer { status, headers, body: answer.read(max_body).await? })
    }

    /// Checks addresses in the URL itself, which the resolver does not see.
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

/// The compression of a body, if it is compressed; for people.
pub fn compression(headers: &HeaderMap) -> Option<String> {
    let codings = headers.get_all(CONTENT_ENCODING).into_iter();
    let mut names = codings.map(|coding| String::from_utf8_lossy(coding.as_bytes()).trim().to_owned());
    let name = names.find(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))?;
    Some(one_line(&name, MAX_CODING))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn check(url: &str, allow_private: bool) -> Result<(), OutboundError> {
        Outbound::new(Duration::from_secs(1), allow_private, &Tls::default()).check(&Url::parse(url).unwrap())
    }

    /// The error text for a server that sends this and closes the connection.
    async fn told_of(answer: &'static str) -> String {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", server.local_addr().unwrap())).unwrap();
        let serve = tokio::spawn(async move {
            let (mut socket, _) = server.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        });
        let http = Outbound::new(Duration::from_secs(5), true, &Tls::default());
        let failed = http.send(OutboundRequest::get(url), 100).await.unwrap_err();
        serve.await.unwrap();
        failed.to_string()
    }

    #[tokio::test]
    async fn a_server_that_breaks_off_its_answer_is_told_in_the_same_words_wherever_it_does() {
        for answer in
            ["", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"names"]
        {
            assert_eq!(
                told_of(answer).await,
                "the connection closed before the answer was complete",
                "{answer}"
            );
        }
        assert!(!told_of("SSH-2.0-OpenSSH\r\n\r\n").await.contains("connection closed"));
    }

    /// Asks a server that sends this, and leaves the connection open.
    async fn ask(answer: &'static str, timeout: Duration) -> Result<Answer, OutboundError> {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", server.local_addr().unwrap())).unwrap();
        let serve = tokio::spawn(async move {
            let (mut socket, _) = server.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
            socket
        });
        let asked = Outbound::new(timeout, true, &Tls::default()).send(OutboundRequest::get(url), 100).await;
        drop(serve.await.unwrap());
        asked
    }

    #[tokio::test]
    async fn an_answer_that_stops_anywhere_is_given_up_on_in_time() {
        for answer in ["", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"] {
            let started = std::time::Instant::now();
            let asked = ask(answer, Duration::from_millis(200)).await;
            assert!(
                matches!(asked, Err(OutboundError::TimedOut)) && started.elapsed() < Duration::from_secs(2),
                "{answer}: {asked:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_answer_that_does_not_tell_its_length_is_read_to_its_bound() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = format!("{head}{}", format!("32\r\n{}\r\n", "x".repeat(50)).repeat(3)).leak();
        let asked = ask(answer, Duration::from_secs(5)).await;
        assert!(matches!(asked, Err(OutboundError::TooLarge(100))), "{asked:?}");
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_leads_nowhere() {
        let answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask(answer, Duration::from_secs(5)).await.unwrap().status, StatusCode::FOUND);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_told_as_such() {
        let http = Outbound::new(Duration::from_secs(5), false, &Tls::default());
        let asked = http.send(OutboundRequest::get(Url::parse("https://localhost:1/").unwrap()), 100).await;
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
