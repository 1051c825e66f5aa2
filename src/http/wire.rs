//! A connection under hyper. Portico replaces hyper's own refusals with answers in the envelope, and makes sure that
//! the last answer arrives before it closes the connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::head;
use crate::metrics::{Limit, Metrics};

/// How long a client may take to leave after the last answer, and how much it may still send in this time.
const LINGER: Duration = Duration::from_secs(2);
const MAX_DISCARDED: u64 = 16 * 1024 * 1024;

/// A stream that is given back when hyper is done with it.
pub(crate) struct Wire<S> {
    stream: Option<S>,
    back: Option<oneshot::Sender<Returned<S>>>,
    /// Where an answer that replaces hyper's is put.
    unsent: Vec<u8>,
    asked: Asked,
    metrics: Arc<Metrics>,
}

/// What the client has sent since the last answer, as far as it can be a head.
#[derive(Debug, Default, Clone, Copy)]
struct Asked {
    bytes: usize,
    lines: usize,
}

impl Asked {
    fn count(&mut self, bytes: &[u8]) {
        if self.bytes <= head::MAX_HEAD {
            self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
    }

    /// Whether it is within the bounds of a head: with the request line and the empty line at the end.
    fn fits(self) -> bool {
        self.bytes <= head::MAX_HEAD && self.lines <= head::MAX_FIELDS + 2
    }
}

/// The stream, once hyper has dropped it.
pub(crate) type GivenBack<S> = oneshot::Receiver<Returned<S>>;

/// A stream that hyper is done with.
pub(crate) struct Returned<S> {
    pub(crate) stream: S,
    /// Whether the client has sent something that nobody has answered.
    pub(crate) is_unanswered: bool,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, metrics: Arc<Metrics>) -> (Self, GivenBack<S>) {
        let (back, given_back) = oneshot::channel();
        (
            Self {
                stream: Some(stream),
                back: Some(back),
                unsent: Vec::new(),
                asked: Asked::default(),
                metrics,
            },
            given_back,
        )
    }
}

impl<S> Drop for Wire<S> {
    fn drop(&mut self) {
        if let (Some(stream), Some(back)) = (self.stream.take(), self.back.take()) {
            let _ = back.send(Returned { stream, is_unanswered: self.asked.bytes > 0 });
        }
    }
}

/// Waits for the client to leave. If a connection is closed with unread data, the client can lose the answer (RFC
/// 9112 §9.6).
pub(crate) async fn linger(stream: impl AsyncRead + Unpin) {
    let mut rest = stream.take(MAX_DISCARDED);
    let _ = tokio::time::timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

/// An answer in the envelope to a request that no route has seen. The connection ends with it.
pub(crate) fn last_answer(status: StatusCode, code: &str, message: &str, more: &str) -> Vec<u8> {
    let body = format!("{{\"success\":false,\"error\":\"{message}\",\"code\":\"{code}\"}}");
    let id = hex::encode(rand::random::<[u8; 16]>());
    let reason = status.canonical_reason().unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         vary: Origin\r\nx-request-id: {id}\r\n{more}connection: close\r\n\r\n",
        status.as_u16(),
        body.len(),
    );
    (head + &body).into_bytes()
}

/// What hyper refused before a route saw it: the status of hyper's answer, which has no body. Portico's own answers
/// carry a request id.
fn of_hypers_own(written: &[u8]) -> Option<StatusCode> {
    let head = written.strip_prefix(b"HTTP/1.1 4").or_else(|| written.strip_prefix(b"HTTP/1.0 4"))?;
    let status = match head.get(..2)? {
        b"00" => StatusCode::BAD_REQUEST,
        // A URL is part of the head, and has no bound of its own.
        b"14" | b"31" => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        _ => return None,
    };
    let is_ours = head.windows(12).any(|part| part.eq_ignore_ascii_case(b"x-request-id"));
    (!is_ours).then_some(status)
}

/// An answer to a request that hyper could not read.
pub(crate) fn in_our_words(status: StatusCode) -> Vec<u8> {
    let (code, message) = match status {
        StatusCode::BAD_REQUEST => ("bad_request", "this is not HTTP/1.1"),
        StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "Content-Length: is too large"),
        _ => (head::CODE, head::TOO_LARGE),
    };
    last_answer(status, code, message, "")
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Replaces an answer of hyper's with one of our own.
    fn replaces(&mut self, written: &[u8]) -> bool {
        let asked = std::mem::take(&mut self.asked);
        let Some(mut status) = of_hypers_own(written) else { return false };
        // hyper has one status for a head that is too large and for a length that no number can hold.
        if status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE && asked.fits() {
            status = StatusCode::PAYLOAD_TOO_LARGE;
            self.metrics.limits.reached(Limit::BodySize);
        } else if status != StatusCode::BAD_REQUEST {
            self.metrics.limits.reached(Limit::HeadSize);
        }
        self.metrics.api.answered("none", "other", status.as_str(), Duration::ZERO);
        self.unsent.extend(in_our_words(status));
        true
    }

    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let Some(stream) = self.stream.as_mut() else { break };
            let sent = ready!(Pin::new(stream).poll_write(cx, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.stream()?.poll_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        self.asked.count(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(cx))?;
        if self.replaces(data) {
            return Poll::Ready(Ok(data.len()));
        }
        self.stream()?.poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(cx))?;
        if data.first().is_some_and(|first| self.replaces(first)) {
            return Poll::Ready(Ok(data.iter().map(|part| part.len()).sum()));
        }
        self.stream()?.poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(cx))?;
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(cx))?;
        self.stream()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_hypers_is_told_from_one_of_a_route() {
        for (written, status) in [
            ("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", Some(400)),
            ("HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n", Some(431)),
            ("HTTP/1.1 414 URI Too Long\r\n\r\n", Some(431)),
            ("HTTP/1.1 400 Bad Request\r\nx-request-id: a\r\n\r\n", None),
            ("HTTP/1.1 404 Not Found\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 4", None),
            ("", None),
        ] {
            assert_eq!(
                of_hypers_own(written.as_bytes()).map(|status| status.as_u16()),
                status,
                "{written:?}"
            );
        }
    }

    #[test]
    fn the_last_answer_is_proper_http() {
        let said = String::from_utf8(in_our_words(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["code"], "headers_too_large");
    }
}
