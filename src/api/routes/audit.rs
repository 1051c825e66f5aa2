//! Who did what, for operators.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::page;
use crate::api::Api;
use crate::clock::Timestamp;
use crate::http::body::{QueryParam, unless_empty};
use crate::http::envelope::{ApiError, ok};
use crate::session::{AuditFilter, AuditKind, AuditRecord};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Listing {
    #[serde(default, deserialize_with = "unless_empty")]
    cursor: Option<String>,
    #[serde(default, deserialize_with = "unless_empty")]
    limit: Option<usize>,
    user: Option<String>,
    session: Option<String>,
    kind: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

pub(in crate::api) async fn list(
    State(api): State<Api>,
    QueryParam(listing): QueryParam<Listing>,
) -> Result<Response, ApiError> {
    let Listing { cursor, limit, user, session, kind, since, until } = listing;
    let named = |kind: String| {
        AuditKind::of_word(&kind).ok_or_else(|| {
            let kinds: Vec<_> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
            ApiError::bad_request(format!("kind: must be one of {}", kinds.join(", ")))
        })
    };
    let filter = AuditFilter {
        user: user
            .map(|id| id.parse().map_err(|_| ApiError::bad_request("user: must be an id")))
            .transpose()?,
        session: session
            .map(|id| id.parse().map_err(|_| ApiError::bad_request("session: must be an id")))
            .transpose()?,
        kind: kind.map(named).transpose()?,
        since,
        until,
    };
    let before = page::cursor(cursor.as_deref())?;
    let found = api.sessions()?.audit(&filter, before, page::limit(limit)?).await?;
    let records: Vec<_> = found.records.iter().map(to_json).collect();
    let next = found.next.map(|number| number.to_string());
    Ok(ok(json!({ "records": records, "next_cursor": next })))
}

fn to_json(record: &AuditRecord) -> Value {
    let AuditRecord { number, draft } = record;
    let detail = draft.detail.clone().and_then(|detail| RawValue::from_string(detail).ok());
    json!({
        "number": number,
        "timestamp": draft.at,
        "kind": draft.kind.as_str(),
        "user_id": draft.user,
        "session_id": draft.session,
        "provider": draft.provider,
        "wallet_id": draft.wallet_id,
        "reason": draft.reason,
        "detail": detail,
        "actor": draft.actor,
    })
}
