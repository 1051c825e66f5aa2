//! Metrics of each part of the daemon.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::{Counter, Histogram, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};

use super::{Families, seconds};

/// Upper bounds in seconds, for short operations.
const MOMENTS: &[f64] = &[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// Upper bounds in seconds, for actions of people.
const PATIENCE: &[f64] = &[0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Upper bounds for how many writes share a commit.
const BATCHES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The local API.
#[derive(Debug)]
pub struct ApiCounts {
    requests: IntCounterVec,
    durations: HistogramVec,
    commands: IntCounterVec,
    tokens: IntCounterVec,
    refused_callers: IntCounterVec,
    /// Tokens that this service signed.
    pub tokens_issued: prometheus::IntCounter,
    connections: IntGaugeVec,
    websockets: IntGauge,
}

/// Counts one in a gauge while this value lives.
#[derive(Debug)]
pub struct Present(IntGauge);

impl Present {
    fn among(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ApiCounts {
    pub(super) fn new(families: &Families<'_>) -> Self {
        let refused_callers = families.counters(
            "portico_callers_refused_total",
            "Requests and WebSockets of callers that Portico does not know: on TCP the API token is wrong or has \
             expired, on the Unix socket the user is not listed.",
            &["reason"],
        );
        from_zero(&refused_callers, &["wrong_token", "expired_token", "unlisted_user"]);
        Self {
            refused_callers,
            requests: families.counters(
                "portico_http_requests_total",
                "Answered HTTP requests, by matched route.",
                &["route", "method", "status"],
            ),
            durations: families.histograms(
                "portico_http_request_duration_seconds",
                "Time from the head of a request to the head of its answer, in seconds.",
                &["route"],
                MOMENTS,
            ),
            commands: families.counters(
                "portico_websocket_commands_total",
                "Answered WebSocket commands; result is ok or an error code.",
                &["command", "result"],
            ),
            tokens: families.counters(
                "portico_tokens_verified_total",
                "Tokens that callers asked Portico to verify; result is ok or an error code.",
                &["result"],
            ),
            tokens_issued: families
                .counters("portico_tokens_issued_total", "Tokens that this service signed.", &[])
                .with_label_values::<&str>(&[]),
            connections: families.gauges("portico_connections", "Open connections of callers.", &["socket"]),
            websockets: families
                .gauges("portico_websocket_clients", "Clients connected by WebSocket.", &[])
                .with_label_values::<&str>(&[]),
        }
    }

    /// A request was answered. `route` is the pattern that it matched.
    pub fn answered(&self, route: &str, method: &str, status: &str, took: Duration) {
        self.requests.with_label_values(&[route, method, status]).inc();
        self.durations.with_label_values(&[route]).observe(seconds(took));
    }

    /// A WebSocket command was answered: `ok`, or the code of an error.
    pub fn commanded(&self, command: &str, result: &str) {
        self.commands.with_label_values(&[command, result]).inc();
    }

    /// A token was verified: `ok`, or the code of an error.
    pub fn verified(&self, result: &str) {
        self.tokens.with_label_values(&[result]).inc();
    }

    /// A caller was refused that Portico does not know.
    pub fn caller_refused(&self, reason: &str) {
        self.refused_callers.with_label_values(&[reason]).inc();
    }

    /// A connection was opened on this kind of socket.
    pub fn connected(&self, socket: &str) -> Present {
        Present::among(self.connections.with_label_values(&[socket]))
    }

    /// A client opened a WebSocket.
    pub fn on_websocket(&self) -> Present {
        Present::among(self.websockets.clone())
    }
}

/// Exports these values of the only label from the start, because a rate needs a first sample.
fn from_zero(counters: &IntCounterVec, values: &[&str]) {
    for value in values {
        counters.with_label_values(&[value]);
    }
}

/// Handshakes and challenges.
#[derive(Debug)]
pub struct LoginCounts {
    opened: IntCounterVec,
    scanned: IntCounterVec,
    ended: IntCounterVec,
    challenges_ended: IntCounterVec,
    durations: HistogramVec,
}

impl LoginCounts {
    pub(super) fn new(families: &Families<'_>) -> Self {
        let made = Self {
            opened: families.counters(
                "portico_requests_opened_total",
                "Opened requests: handshake URLs, login URLs, and authentications (a challenge to a known user).",
                &["kind"],
            ),
            scanned: families.counters(
                "portico_scans_total",
                "Scans of handshake URLs by wallets, by result.",
                &["result"],
            ),
            ended: families.counters(
                "portico_handshakes_ended_total",
                "Handshake and login URLs that ended without a challenge to the user.",
                &["outcome"],
            ),
            challenges_ended: families.counters(
                "portico_challenges_ended_total",
                "Ended challenges; reason is the code of the token error, if the session token was invalid.",
                &["outcome", "reason"],
            ),
            durations: families.histograms(
                "portico_challenge_duration_seconds",
                "Time from the request or scan to the outcome of its challenge, in seconds.",
                &["outcome"],
                PATIENCE,
            ),
        };
        from_zero(&made.opened, &["handshake", "login", "authentication"]);
        from_zero(&made.scanned, &["taken", "too_old", "too_many", "refused"]);
        from_zero(&made.ended, &["scanned", "timed_out", "no_relay", "cancelled", "too_many_requests"]);
        made
    }

    /// A request was opened: `handshake`, `login` or `authentication`.
    pub fn opened(&self, kind: &str) {
        self.opened.with_label_values(&[kind]).inc();
    }

    /// A wallet has scanned a URL.
    pub fn scanned(&self, result: &str) {
        self.scanned.with_label_values(&[result]).inc();
    }

    /// A handshake has ended.
    pub fn ended(&self, outcome: &str) {
        self.ended.with_label_values(&[outcome]).inc();
    }

    /// A challenge ended, this long after it was requested.
    pub fn challenge_ended(&self, outcome: &str, reason: &str, took: Duration) {
        self.challenges_ended.with_label_values(&[outcome, reason]).inc();
        self.durations.with_label_values(&[outcome]).observe(seconds(took));
    }
}

/// The database.
#[derive(Debug)]
pub struct StoreCounts {
    commits: Histogram,
    batches: Histogram,
    failures: prometheus::IntCounter,
    unavailable: Counter,
    failing_since: Mutex<Option<Instant>>,
}

impl StoreCounts {
    pub(super) fn new(families: &Families<'_>) -> Self {
        let unavailable = Counter::new(
            "portico_store_unavailable_seconds_total",
            "Time between a failed transaction and the next one, in seconds.",
        );
        Self {
            commits: families
                .histograms(
                    "portico_store_transaction_duration_seconds",
                    "Duration of a transaction including its commit, in seconds.",
                    &[],
                    MOMENTS,
                )
                .with_label_values::<&str>(&[]),
            batches: families
                .histograms(
                    "portico_store_transaction_writes",
                    "Number of writes in a transaction.",
                    &[],
                    BATCHES,
                )
                .with_label_values::<&str>(&[]),
            failures: families
                .counters("portico_store_failures_total", "Transactions that failed to commit.", &[])
                .with_label_values::<&str>(&[]),
            unavailable: families.listed(unavailable),
            failing_since: Mutex::default(),
        }
    }

    /// A transaction with this many writes was tried.
    pub fn transacted(&self, writes: usize, took: Duration, committed: bool) {
        self.batches.observe(writes as f64);
        self.commits.observe(seconds(took));
        let mut failing_since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = failing_since.take() {
            self.unavailable.inc_by(seconds(since.elapsed()));
        }
        if !committed {
            self.failures.inc();
            *failing_since = Some(Instant::now());
        }
    }
}

/// Deliveries to the webhook.
#[derive(Debug)]
pub struct WebhookCounts {
    attempts: IntCounterVec,
}

impl WebhookCounts {
    pub(super) fn new(families: &Families<'_>) -> Self {
        let help =
            "Attempts to post an event; result is delivered, or retried or given_up if the attempt failed.";
        let attempts = families.counters("portico_webhook_attempts_total", help, &["result"]);
        from_zero(&attempts, &["delivered", "retried", "given_up"]);
        Self { attempts }
    }

    /// An attempt was made.
    pub fn attempted(&self, result: &str) {
        self.attempts.with_label_values(&[result]).inc();
    }
}
