//! Sends one request to the receiver, and interprets its answer.

use std::fmt;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use url::Url;

use super::signature::Signer;
use crate::clock::Timestamp;
use crate::config::{Webhook, WebhookKeys};
use crate::outbound::{NamedBy, OutboundError, OutboundRequest, Reach, WebAnswer, WebClient};
use crate::store::Delivery;
use crate::tls::{Tls, TlsFault};

/// How much of an answer is read, in bytes, so that the connection can be used again. The content is ignored.
const MAX_ANSWER: usize = 4 * 1024;

/// The result of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The receiver accepted the event (2xx).
    Taken,
    /// The receiver did not accept it.
    Failed {
        failure: Failure,
        /// How long the receiver asks Portico to wait.
        retry_after: Option<Duration>,
    },
    /// Portico cannot read the event from the store; no receiver can change that.
    Unusable,
}

/// Why a receiver did not accept an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The receiver answered with another status than 2xx.
    Status(u16),
    /// The receiver did not answer in time.
    TimedOut,
    /// TLS failed.
    Tls(TlsFault),
    /// The connection failed.
    Unreachable,
    /// The connection broke, or the answer was not HTTP.
    Broken,
    /// Not sent: the event cannot be read from the store now.
    StoreUnavailable,
}

impl Failure {
    /// Whether the receiver rejects such a request altogether: it may be deployed wrongly, and fixing that
    /// takes a person and time. 408 and 429 (RFC 9110 §15.5.9, RFC 6585 §4) are temporary.
    pub(super) fn is_refusal(self) -> bool {
        matches!(self, Self::Status(status) if status < 500 && !matches!(status, 408 | 429))
    }

    /// The failure, for people.
    pub(super) fn text(self) -> String {
        match self {
            Self::Status(status) => format!("the receiver answered with status {status}"),
            Self::TimedOut => "the receiver did not answer within webhook.timeout".into(),
            Self::Tls(fault) => fault.to_string(),
            Self::Unreachable => "cannot connect to the receiver".into(),
            Self::Broken => "the connection broke, or the answer was not HTTP".into(),
            Self::StoreUnavailable => "cannot read the event from the store now".into(),
        }
    }
}

/// The code, for programs and for the list of undelivered events.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "http_{status}"),
            Self::TimedOut => f.write_str("timed_out"),
            Self::Tls(fault) => f.write_str(fault.code()),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Broken => f.write_str("broken"),
            Self::StoreUnavailable => f.write_str("store_unavailable"),
        }
    }
}

/// The operator's program that receives every event.
#[derive(Debug)]
pub(super) struct Receiver {
    http: WebClient,
    url: Url,
    signer: Signer,
}

impl Receiver {
    pub(super) fn new(webhook: &Webhook, keys: &WebhookKeys, tls: &Tls) -> Self {
        // It follows no redirect: somebody else's URL in an answer is no place for a session token.
        let http = WebClient::new(tls, webhook.rules.timeout, Reach::Anywhere, NamedBy::Operator);
        Self { http, url: webhook.url.as_url().clone(), signer: Signer::new(keys) }
    }

    /// Posts the event of a delivery at `now`; `body` is its JSON.
    pub(super) async fn post(&self, delivery: &Delivery, body: Vec<u8>, now: Timestamp) -> Answer {
        let id = format!("{}/{}", delivery.stream, delivery.index);
        let name = HeaderName::from_static;
        let request = OutboundRequest::post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(name("x-portal-signature"), self.signer.sign(&body))
            .header(name("webhook-signature"), self.signer.sign_at(&id, now, &body))
            .header(name("webhook-timestamp"), now.secs())
            .header(name("webhook-id"), &id)
            .header(name("x-portico-delivery"), &id)
            .body(body);
        match self.http.send(request).await {
            Ok(response) => {
                let answer = meaning(&response);
                // The status counts, even if the body does not arrive.
                let _ = response.read(MAX_ANSWER).await;
                answer
            }
            Err(error) => Answer::Failed { failure: failure(error), retry_after: None },
        }
    }
}

fn meaning(response: &WebAnswer) -> Answer {
    if response.status.is_success() {
        return Answer::Taken;
    }
    // A date (RFC 9110 §10.2.3) is ignored: few receivers send one, and the back-off waits anyway.
    let header = response.headers.get(RETRY_AFTER);
    let secs = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Answer::Failed {
        failure: Failure::Status(response.status.as_u16()),
        retry_after: secs.map(Duration::from_secs),
    }
}

fn failure(error: OutboundError) -> Failure {
    match error {
        OutboundError::Tls(fault) => Failure::Tls(fault),
        OutboundError::TimedOut => Failure::TimedOut,
        OutboundError::Unreachable(_) => Failure::Unreachable,
        _ => Failure::Broken,
    }
}
