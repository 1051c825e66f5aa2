//! The HTTP client for every outgoing request. It connects only to the server in the URL: it uses no proxy and follows
//! no redirect.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};
use tower::Service;
use url::Url;

use super::OutboundError;
use crate::address;
use crate::lookups::{NamedBy, look_up};
use crate::tls::{Tls, TlsFault};

/// How often the kernel checks that an idle connection still works (TCP keepalive).
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A request to a web server.
#[derive(Debug)]
pub struct OutboundRequest {
    pub(super) url: Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    has_bad_header: bool,
}

impl OutboundRequest {
    /// A `GET` request.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A `POST` request with an empty body.
    pub fn post(url: Url) -> Self {
        Self::new(Method::POST, url)
    }

    fn new(method: Method, url: Url) -> Self {
        Self { url, method, headers: HeaderMap::new(), body: Bytes::new(), has_bad_header: false }
    }

    /// Sets this header. If HTTP does not allow the value, [`WebClient::send`] returns an error.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        match value.try_into() {
            Ok(value) => drop(self.headers.insert(name, value)),
            Err(_) => self.has_bad_header = true,
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }
}

/// Which addresses the host name of a URL may resolve to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Any address.
    Anywhere,
    /// Public addresses: a host name from a stranger must not lead into the operator's own network.
    Public,
}

/// Sends requests. Keeps connections open for later requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WebClient {
    pool: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    timeout: Duration,
}

impl WebClient {
    /// A client whose requests take at most `timeout`, including the connection and the body. `named_by`: who
    /// chooses the hosts.
    pub fn new(tls: &Tls, timeout: Duration, reach: Reach, named_by: NamedBy) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver { reach, named_by });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        // All addresses of a host share this time, so one that does not answer leaves time for the next.
        tcp.set_connect_timeout(Some(timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(ClientConfig::clone(&tls.client()))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Self { pool, timeout }
    }

    /// Sends a request, and returns when the head of the answer has arrived.
    ///
    /// # Errors
    /// [`OutboundError`]. An error status is an answer, not an error.
    pub async fn send(&self, request: OutboundRequest) -> Result<WebAnswer, OutboundError> {
        let deadline = Instant::now() + self.timeout;
        let OutboundRequest { url, method, headers, body, has_bad_header } = request;
        let request = Request::builder().method(method).uri(url.as_str()).body(Full::new(body));
        let mut request = request.map_err(|error| OutboundError::Broken(error.to_string()))?;
        if has_bad_header {
            return Err(OutboundError::Broken("a header cannot be sent".into()));
        }
        let agent = HeaderValue::from_static(concat!("portico/", env!("CARGO_PKG_VERSION")));
        *request.headers_mut() = headers;
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        let answer = timeout_at(deadline, self.pool.request(request)).await;
        let answer = answer.map_err(|_| OutboundError::TimedOut)?.map_err(|error| of_exchange(&error))?;
        let (head, body) = answer.into_parts();
        Ok(WebAnswer { status: head.status, headers: head.headers, body, deadline })
    }
}

/// The answer of a server. Its body is not read yet.
#[derive(Debug)]
pub struct WebAnswer {
    /// The status; 3xx are not followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    deadline: Instant,
}

impl WebAnswer {
    /// Reads the whole body, at most `max` bytes.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn read(mut self, max: usize) -> Result<Vec<u8>, OutboundError> {
        let mut read = Vec::new();
        loop {
            let frame = timeout_at(self.deadline, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| OutboundError::TimedOut)? else { return Ok(read) };
            let Ok(chunk) = frame.map_err(|error| of_answer(&error))?.into_data() else { continue };
            if read.len() + chunk.len() > max {
                return Err(OutboundError::TooLarge(max));
            }
            read.extend_from_slice(&chunk);
        }
    }
}

fn of_exchange(error: &legacy::Error) -> OutboundError {
    if causes(error).any(|cause| cause.is::<NotPublic>()) {
        return OutboundError::Private;
    }
    if !error.is_connect() {
        return of_answer(error);
    }
    match TlsFault::of_handshake(error) {
        Some(fault) => OutboundError::Tls(fault),
        None if causes(error).any(has_timed_out) => OutboundError::TimedOut,
        None => OutboundError::Unreachable(last_cause(error)),
    }
}

fn of_answer(error: &(dyn Error + 'static)) -> OutboundError {
    match TlsFault::of(error) {
        Some(fault) => OutboundError::Tls(fault),
        None if causes(error).any(has_timed_out) => OutboundError::TimedOut,
        None if causes(error).any(broke_off) => {
            OutboundError::Broken("the connection closed before the answer was complete".into())
        }
        None => OutboundError::Broken(last_cause(error)),
    }
}

/// An error and its causes, the outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The text of the last cause: only this one names the problem.
fn last_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

fn has_timed_out(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Whether the cause is a connection that ended. The TLS library's own text for this does not help an operator.
fn broke_off(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<io::Error>()
        || cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
}

/// Resolves host names and checks the addresses. The client connects only to the addresses that this returns, so a name
/// cannot lead elsewhere after the check.
#[derive(Debug, Clone, Copy)]
struct Resolver {
    reach: Reach,
    named_by: NamedBy,
}

/// Every address of the host is private.
#[derive(Debug, thiserror::Error)]
#[error("its address is not public")]
struct NotPublic;

type Resolved = Result<std::vec::IntoIter<SocketAddr>, Box<dyn Error + Send + Sync>>;

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Resolved> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { reach, named_by } = *self;
        Box::pin(async move {
            let found = look_up(name.as_str(), 0, named_by).await?;
            let is_usable = |found: &&SocketAddr| reach == Reach::Anywhere || address::is_public(found.ip());
            let usable: Vec<SocketAddr> = found.iter().filter(is_usable).copied().collect();
            if usable.is_empty() && !found.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(usable.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tls_library_says_of_a_connection_that_breaks_off_is_not_repeated() {
        let words = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls";
        let broken = io::Error::new(io::ErrorKind::UnexpectedEof, words);
        assert!(!of_answer(&broken).to_string().contains("docs.rs"));
    }

    #[tokio::test]
    async fn a_header_that_could_end_its_line_is_not_sent() {
        let client =
            WebClient::new(&Tls::default(), Duration::from_secs(5), Reach::Anywhere, NamedBy::Operator);
        let request = OutboundRequest::get(Url::parse("http://127.0.0.1:1/").unwrap());
        let sent = client.send(request.header(USER_AGENT, "a\r\nb: c")).await;
        assert!(sent.is_err_and(|error| error.to_string() == "a header cannot be sent"));
    }
}
