//! The envelope of every answer: data, or a refusal with a status and a code.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::metrics::Limit;
use crate::rights::Right;

/// A successful answer, with status 200.
pub(crate) fn ok(data: impl Serialize) -> Response {
    Json(Success { success: true, data }).into_response()
}

/// A successful answer, with status 200, that no cache may keep (RFC 6749 §5.1).
pub(crate) fn secret(data: impl Serialize) -> Response {
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (no_store, Json(Success { success: true, data })).into_response()
}

/// A successful answer, with status 201.
pub(crate) fn created(data: impl Serialize) -> Response {
    (StatusCode::CREATED, Json(Success { success: true, data })).into_response()
}

/// The same with its fields beside the envelope too: clients of an older line of the reference daemon look for them
/// there. `data` is an object.
pub(crate) fn ok_and_beside(data: Value) -> Response {
    let mut answer = Map::from_iter([("success".to_owned(), json!(true)), ("data".to_owned(), data.clone())]);
    if let Value::Object(fields) = data {
        answer.extend(fields);
    }
    Json(answer).into_response()
}

#[derive(Serialize)]
struct Success<T> {
    success: bool,
    data: T,
}

/// One of several answers in one response, each in its own envelope.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer<T> {
    Success { success: bool, data: T },
    Failure { success: bool, error: String, code: &'static str },
}

impl<T> From<Result<T, ApiError>> for Answer<T> {
    fn from(result: Result<T, ApiError>) -> Self {
        match result {
            Ok(data) => Self::Success { success: true, data },
            Err(ApiError { message, code, .. }) => Self::Failure { success: false, error: message, code },
        }
    }
}

#[derive(Serialize)]
struct Failure<'a> {
    success: bool,
    error: &'a str,
    code: &'a str,
    /// A second code, if `code` leaves the reason open.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// Only if it is true: see [`ApiError::renewable`].
    #[serde(skip_serializing_if = "Option::is_none")]
    renewable: Option<bool>,
}

/// An error answer: a text for people, a code for programs, a status for HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// A second code, if `code` leaves the reason open.
    pub(crate) detail: Option<&'static str>,
    /// The access token has expired, and `POST /auth/refresh` gives a new one.
    pub(crate) renewable: bool,
    pub(crate) retry_after: Option<Duration>,
    /// The bound that was reached, if there is one.
    pub(crate) limit: Option<Limit>,
    /// For the log only; callers do not see it.
    pub(crate) cause: Option<String>,
}

/// Why an answer is a refusal, for the code that counts and logs answers.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    pub(crate) limit: Option<Limit>,
    pub(crate) cause: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            detail: None,
            renewable: false,
            retry_after: None,
            limit: None,
            cause: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// The caller is known, and lacks a right.
    pub(crate) fn missing_right(right: Right) -> Self {
        let message = format!("the caller lacks the right {right} (local.allow, or its API token)");
        Self::new(StatusCode::FORBIDDEN, "missing_right", message)
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message).because_of(Limit::BodySize)
    }

    /// A bound is reached. Without a time to retry, waiting does not help.
    pub(crate) fn limit_reached(
        limit: Limit,
        message: impl Into<String>,
        retry_after: Option<Duration>,
    ) -> Self {
        let status = if retry_after.is_some() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::CONFLICT };
        Self { retry_after, ..Self::new(status, "limit_reached", message).because_of(limit) }
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a defect of Portico; the log has more")
    }

    pub(crate) fn because_of(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    pub(crate) fn caused_by(self, cause: impl ToString) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Failure {
            success: false,
            error: &self.message,
            code: self.code,
            detail: self.detail,
            renewable: self.renewable.then_some(true),
        };
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after {
            // Whole seconds, rounded up (RFC 9110 §10.2.3).
            let secs = after.as_millis().div_ceil(1000).max(1) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response.extensions_mut().insert(Reason { code: self.code, limit: self.limit, cause: self.cause });
        response
    }
}

/// A refusal that has another form, for the code that counts and logs answers.
pub(crate) fn because(mut response: Response, code: &'static str) -> Response {
    response.extensions_mut().insert(Reason { code, limit: None, cause: None });
    response
}

/// The code of a refusal.
pub(crate) fn code_of(response: &Response) -> Option<&'static str> {
    response.extensions().get::<Reason>().map(|reason| reason.code)
}
