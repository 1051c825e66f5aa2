//! What the page shows: one answer for everything, from what the routes and the metrics have.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Ui;
use super::bounds::{Counted, uses, value};
use super::door::SignedIn;
use super::hour::{Count, Totals};
use crate::api::{Api, GIT_COMMIT, VERSION};
use crate::clock::Timestamp;
use crate::http::body::{QueryParam, unless_empty};
use crate::http::envelope::{ApiError, ok};
use crate::metrics::{Limit, Sample};
use crate::session::{AuditFilter, AuditKind, AuditRecord};

/// For so long all browsers get the same answer: many open pages cost no more than one.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// How many records of the audit the page shows.
const TAIL: usize = 50;

/// The longest text of a stranger or an operator that the page receives, in characters.
const LONGEST: usize = 300;

#[derive(Serialize)]
struct Shown<'a> {
    seconds_left: u64,
    overview: &'a RawValue,
}

/// Everything but the audit.
pub(super) async fn show(State(api): State<Api>, SignedIn(session): SignedIn) -> Result<Response, ApiError> {
    let ui = api.ui()?;
    let mut latest = ui.latest.lock().await;
    let known =
        latest.as_ref().filter(|(at, _)| at.elapsed() < SHARED_FOR).map(|(_, known)| Arc::clone(known));
    let overview = match known {
        Some(known) => known,
        None => {
            let made = to_raw_value(&overview(&api, ui).await?).map_err(|_| ApiError::internal())?;
            let made: Arc<RawValue> = made.into();
            *latest = Some((Instant::now(), Arc::clone(&made)));
            made
        }
    };
    drop(latest);
    let seconds_left = session.ends_at.saturating_duration_since(Instant::now()).as_secs();
    Ok(ok(Shown { seconds_left, overview: &overview }))
}

async fn overview(api: &Api, ui: &Ui) -> Result<Value, ApiError> {
    let samples = api.metrics.samples(api.reading().await);
    let relays = api.roster.reports().await;
    let own = relays.iter().filter(|relay| relay.origin != "preferred" && relay.state != "removed").count();
    let counted = Counted { relays: own, api_tokens: api.api_tokens.count() };
    let webhooks = webhooks(api).await;
    Ok(json!({
        "version": VERSION,
        "git_commit": GIT_COMMIT,
        "now": api.api_tokens.now(),
        "started_at": value(&samples, "process_start_time_seconds").map(|at| Timestamp::from_secs(at as u64)),
        "ready": api.roster.ready(),
        "relays": relays,
        "logins": logins(ui, &totals(&samples)),
        "open": open(&samples),
        "bounds": uses(&ui.maxima, &samples, counted),
        "reached": reached(&samples),
        "webhooks": webhooks,
        "keys": keys(api),
        "store": {
            "size_bytes": value(&samples, "portico_store_size_bytes"),
            "failures": value(&samples, "portico_store_failures_total"),
            "unavailable_seconds": value(&samples, "portico_store_unavailable_seconds_total"),
        },
        "memory_bytes": value(&samples, "process_resident_memory_bytes"),
    }))
}

/// The counters whose growth the page shows.
pub(super) fn totals(samples: &[Sample]) -> Totals {
    let mut totals = Totals::new();
    let counted = samples.iter().filter_map(|sample| Some((count_of(sample)?, sample.value as u64)));
    for (count, more) in counted {
        *totals.entry(count).or_default() += more;
    }
    totals
}

fn count_of(sample: &Sample) -> Option<Count> {
    let count = |kind, outcome: &str, code: &str| {
        Some(Count { kind, outcome: outcome.to_owned(), code: code.to_owned() })
    };
    let (outcome, result) = (sample.label("outcome"), sample.label("result"));
    match sample.name.as_str() {
        "portico_requests_opened_total" => count("opened", sample.label("kind"), ""),
        "portico_challenges_ended_total" => count("ended", outcome, sample.label("reason")),
        // What was scanned goes on as a challenge.
        "portico_handshakes_ended_total" if outcome != "scanned" => count("ended", outcome, ""),
        "portico_session_checks_total" if result != "ok" => count("refused", sample.label("at"), result),
        _ => None,
    }
}

fn logins(ui: &Ui, now: &Totals) -> Value {
    let hour = ui.hour.lock().unwrap_or_else(PoisonError::into_inner);
    let (counted, seconds) = hour.counted(now);
    let of_kind = |wanted: &'static str| {
        let those = counted.iter().filter(move |(count, _)| count.kind == wanted);
        let rows = those
            .map(|(count, times)| json!({ "outcome": count.outcome, "code": count.code, "times": times }));
        rows.collect::<Vec<_>>()
    };
    let is_approved = |count: &Count| count.kind == "ended" && count.outcome == "approved";
    let sum = |totals: &Totals, wanted: &dyn Fn(&Count) -> bool| {
        totals.iter().filter(|(count, _)| wanted(count)).map(|(_, times)| times).sum::<u64>()
    };
    let minutes = hour.minutes(now).into_iter().map(|minute| {
        let failed = sum(&minute, &|count| count.kind == "ended" && !is_approved(count));
        json!([sum(&minute, &is_approved), failed])
    });
    json!({
        "seconds": seconds,
        "ended": of_kind("ended"),
        "opened": of_kind("opened"),
        "refused": of_kind("refused"),
        "minutes": minutes.collect::<Vec<_>>(),
    })
}

fn open(samples: &[Sample]) -> Value {
    json!({
        "handshakes": value(samples, "portico_open_handshakes"),
        "challenges": value(samples, "portico_open_challenges"),
        "sessions": value(samples, "portico_sessions_active"),
        "followers": value(samples, "portico_followers"),
        "websockets": value(samples, "portico_websocket_clients"),
    })
}

/// The bounds that were reached since the start.
fn reached(samples: &[Sample]) -> Vec<Value> {
    let limits =
        samples.iter().filter(|sample| sample.name == "portico_limit_reached_total" && sample.value > 0.0);
    let known = limits.filter_map(|sample| Some((Limit::of_word(sample.label("limit"))?, sample.value)));
    known.map(|(limit, times)| json!({ "limit": limit.label(), "times": times })).collect()
}

/// How many deliveries wait and failed, and the last error. Not of which streams: who knows a stream can read it.
async fn webhooks(api: &Api) -> Value {
    if !api.webhooks.enabled() {
        return json!({ "enabled": false });
    }
    // A store that cannot be read must not hide everything else.
    let Ok(owed) = api.webhooks.undelivered(None, TAIL).await else { return json!({ "enabled": true }) };
    let error = owed.deliveries.iter().find_map(|delivery| delivery.last_error.as_deref());
    let oldest = owed.deliveries.iter().map(|delivery| delivery.since).min();
    json!({
        "enabled": true,
        "waiting": owed.waiting,
        "failed": owed.failed,
        "oldest": oldest,
        "last_error": error.map(short),
    })
}

fn keys(api: &Api) -> Value {
    let mint = api.tokens.mint();
    let (since, due) = mint.signs_from_to();
    let keys = mint.states();
    let signing = keys.iter().find(|key| key.retired_at.is_none());
    json!({
        "signing": signing.map(|key| &key.kid),
        "algorithm": signing.map(|key| key.algorithm),
        "since": since,
        "due": due,
        "retired": keys.iter().filter(|key| key.retired_at.is_some()).count(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tail {
    #[serde(default, deserialize_with = "unless_empty")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "unless_empty")]
    user: Option<String>,
}

/// The latest records of the audit, of one kind or about one user.
pub(super) async fn audit(
    State(api): State<Api>,
    QueryParam(Tail { kind, user }): QueryParam<Tail>,
) -> Result<Response, ApiError> {
    let kinds: Vec<_> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let kind = kind.map(|word| {
        AuditKind::of_word(&word)
            .ok_or_else(|| ApiError::bad_request(format!("kind: must be one of {}", kinds.join(", "))))
    });
    let user = user.map(|id| id.parse().map_err(|_| ApiError::bad_request("user: must be an id")));
    let filter = AuditFilter { kind: kind.transpose()?, user: user.transpose()?, ..AuditFilter::default() };
    let ui = api.ui()?;
    let found = api.sessions()?.audit(&filter, None, TAIL).await?;
    let records: Vec<_> = found.records.iter().map(|record| to_json(ui, record)).collect();
    Ok(ok(json!({ "kinds": kinds, "records": records })))
}

fn to_json(ui: &Ui, record: &AuditRecord) -> Value {
    let AuditRecord { number, draft } = record;
    json!({
        "number": number,
        "at": draft.at,
        "kind": draft.kind.as_str(),
        "user": draft.user,
        "session": draft.session.map(|session| ui.handles.of(session)),
        "wallet": draft.wallet_id.as_deref().map(short),
        "provider": draft.provider,
        "reason": draft.reason,
        "detail": draft.detail.as_deref().map(detail),
        "actor": draft.actor,
    })
}

/// A detail as one line. Its values were checked when they were stored.
fn detail(json: &str) -> String {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(json) else { return short(json) };
    let line = fields.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name} {text}"),
        value => format!("{name} {value}"),
    });
    short(&line.collect::<Vec<_>>().join(", "))
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metrics, Reading};

    #[test]
    fn logins_are_counted_by_outcome_and_code_and_a_scan_is_no_end() {
        let metrics = Metrics::default();
        metrics.logins.challenge_ended("approved", "", Duration::ZERO);
        metrics.logins.challenge_ended("session_token_invalid", "token_expired", Duration::ZERO);
        metrics.logins.ended("scanned");
        metrics.logins.ended("timed_out");
        metrics.sessions.passed("verify", "portal");
        metrics.sessions.refused("verify", "portal", "session_revoked");
        metrics.sessions.refused("verify", "jwks", "session_revoked");
        let totals = totals(&metrics.samples(Reading::default()));
        let seen: Vec<_> = totals
            .iter()
            .filter(|(_, times)| **times > 0)
            .map(|(count, times)| (count.kind, count.outcome.as_str(), count.code.as_str(), *times))
            .collect();
        assert_eq!(
            seen,
            [
                ("ended", "approved", "", 1),
                ("ended", "session_token_invalid", "token_expired", 1),
                ("ended", "timed_out", "", 1),
                ("refused", "verify", "session_revoked", 2),
            ]
        );
    }

    #[test]
    fn a_detail_is_one_short_line() {
        assert_eq!(detail(r#"{"name":"shop","may":["check"]}"#), "may [\"check\"], name shop");
        assert_eq!(detail(&"é".repeat(1000)).chars().count(), LONGEST);
    }
}
