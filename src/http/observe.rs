//! Gives every request an id, counts it, and writes one line to the log.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;

use super::envelope::Reason;
use super::peer::Peer;
use crate::metrics::Metrics;

/// Names a request in the answer and in the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that Portico accepts from a caller, in bytes.
const MAX_ID: usize = 128;

/// The id of a request in the log: the caller's `x-request-id`, else the trace of its `traceparent` (W3C Trace
/// Context), else a random one. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).filter(|id| is_well_formed(id.as_bytes())).cloned();
        Self(given.or_else(|| trace_id(headers)).unwrap_or_else(random))
    }

    fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the log may contain this id: it cannot look like another line or field.
pub(crate) fn is_well_formed(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (1..=MAX_ID).contains(&id.len()) && id.iter().all(is_plain)
}

fn trace_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut parts = headers.get("traceparent")?.to_str().ok()?.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_one =
        version.len() == 2 && is_hex(version) && version != "ff" && trace.len() == 32 && is_hex(trace);
    let is_set = trace.bytes().any(|byte| byte != b'0');
    (is_one && is_set).then(|| HeaderValue::from_str(trace).ok()).flatten()
}

fn random() -> HeaderValue {
    let id = hex::encode(rand::random::<[u8; 16]>());
    HeaderValue::from_maybe_shared(id.into_bytes()).unwrap_or(HeaderValue::from_static("-"))
}

/// The token that the caller has shown, on its way to the log.
#[derive(Debug, Clone)]
struct Holding(Arc<str>);

/// Notes that the answer is for the holder of a token with a name.
pub(crate) fn by_holder_of(label: Option<Arc<str>>, mut response: Response) -> Response {
    if let Some(label) = label {
        response.extensions_mut().insert(Holding(label));
    }
    response
}

/// A request in progress.
pub(crate) struct Observed {
    id: RequestId,
    method: &'static str,
    matched: Option<MatchedPath>,
    peer: Option<Peer>,
    started: Instant,
}

impl Observed {
    /// Notes the start of a request, and gives it its id.
    pub(crate) fn begin(request: &mut Request) -> Self {
        let id = RequestId::of(request.headers());
        let method = name(request.method());
        let matched = request.extensions().get::<MatchedPath>().cloned();
        let peer = request.extensions().get::<Peer>().copied();
        request.extensions_mut().insert(id.clone());
        Self { id, method, matched, peer, started: Instant::now() }
    }

    /// The span around all log lines of the request.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::debug_span!("request", request_id = %self.id)
    }

    /// Counts the answer, logs it and names its request.
    pub(crate) fn end(self, mut response: Response, metrics: &Metrics) -> Response {
        let Self { id, method, matched, peer, started } = self;
        let peer = peer.map(tracing::field::display);
        let route = matched.as_ref().map_or("none", MatchedPath::as_str);
        let (status, took) = (response.status(), started.elapsed());
        metrics.api.answered(route, method, status.as_str(), took);
        let reason = response.extensions_mut().remove::<Reason>();
        let code = reason.as_ref().map(|reason| reason.code);
        let holding = response.extensions_mut().remove::<Holding>();
        let caller = holding.as_ref().map(|Holding(label)| &**label);
        if let Some(limit) = reason.as_ref().and_then(|reason| reason.limit) {
            metrics.limits.reached(limit);
        }
        let (status, took_us) = (status.as_u16(), took.as_micros() as u64);
        match reason.and_then(|reason| reason.cause) {
            Some(cause) => {
                tracing::error!(request_id = %id, peer, caller, method, route, status, code, cause, took_us, "request failed")
            }
            None => {
                tracing::debug!(request_id = %id, peer, caller, method, route, status, code, took_us, "request answered")
            }
        }
        response.headers_mut().insert(REQUEST_ID, id.0);
        response
    }
}

/// The label of a method in the metrics. Callers can make up any number of methods.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(headers: &[(&'static str, &str)]) -> String {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        RequestId::of(&headers.collect()).to_string()
    }

    #[test]
    fn a_callers_id_is_taken_and_else_its_trace() {
        let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(id_of(&[("x-request-id", "order:17_a.b-C"), trace]), "order:17_a.b-C");
        assert_eq!(id_of(&[trace]), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_caller_cannot_forge_the_log_by_an_id() {
        let long = "a".repeat(129);
        for hostile in ["", "a b", "a\"b", "{}", "é", "a=b", &long] {
            let id = id_of(&[("x-request-id", hostile)]);
            assert!(id != hostile && id.len() == 32 && is_well_formed(id.as_bytes()), "{hostile}: {id}");
        }
        let zeroes = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        for hostile in
            ["", "00-short-x-01", &zeroes, "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
        {
            assert_ne!(id_of(&[("traceparent", hostile)]), "0".repeat(32));
            assert_eq!(id_of(&[("traceparent", hostile)]).len(), 32);
        }
    }

    #[test]
    fn two_requests_have_different_ids() {
        assert_ne!(id_of(&[]), id_of(&[]));
    }
}
