//! Answers and notifications. Frequent ones are written directly as text, because building a tree of values costs
//! more than everything else.

use serde::Serialize;
use serde_json::Value;

use crate::api::routes::jwt::Verified;
use crate::events::Event;
use crate::http::envelope::ApiError;
use crate::portal::StreamId;

/// The data of an answer.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Data {
    Issued {
        r#type: &'static str,
        token: String,
    },
    Verified {
        r#type: &'static str,
        #[serde(flatten)]
        verified: Box<Verified>,
    },
    Other(Value),
}

impl Data {
    pub(super) fn issued(token: String) -> Self {
        Self::Issued { r#type: "issue_jwt", token }
    }

    pub(super) fn verified(verified: Verified) -> Self {
        Self::Verified { r#type: "verify_jwt", verified: Box::new(verified) }
    }
}

#[derive(Serialize)]
pub(super) struct Success<'a, T> {
    r#type: &'static str,
    id: &'a Value,
    data: T,
}

#[derive(Serialize)]
pub(super) struct Failure<'a> {
    r#type: &'static str,
    id: &'a Value,
    message: &'a str,
    code: &'a str,
}

#[derive(Serialize)]
pub(super) struct Notification<'a> {
    r#type: &'static str,
    id: String,
    data: &'a Event,
}

pub(super) fn success<T: Serialize>(id: &Value, data: T) -> Success<'_, T> {
    Success { r#type: "success", id, data }
}

pub(super) fn failure<'a>(id: &'a Value, error: &'a ApiError) -> Failure<'a> {
    Failure { r#type: "error", id, message: &error.message, code: error.code }
}

pub(super) fn notification(stream: StreamId, event: &Event) -> Notification<'_> {
    Notification { r#type: "notification", id: stream.to_string(), data: event }
}

/// A message as it is sent.
pub(super) fn text(message: &impl Serialize) -> String {
    // Cannot fail: every message has text as names, and only numbers that JSON has.
    serde_json::to_string(message).unwrap_or_default()
}
