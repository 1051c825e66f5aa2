//! The envelope that every answer comes in, and the one place that maps errors to a status and a code.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::directory::Nip05Error;
use crate::metrics::Limit;
use crate::portal::PortalError;
use crate::profile::SetError;
use crate::session::{Reason as Refused, SessionError};
use crate::store::StoreError;
use crate::tokens::{TokensError, standard_jwt, wrapped_token};

/// An answer that went well, with status 200.
pub(super) fn ok(data: impl Serialize) -> Response {
    Json(Success { success: true, data }).into_response()
}

/// An answer that went well, with status 200, and that nobody may keep a copy of (RFC 6749 §5.1).
pub(super) fn secret(data: impl Serialize) -> Response {
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (no_store, Json(Success { success: true, data })).into_response()
}

/// An answer that went well, with status 201.
pub(super) fn created(data: impl Serialize) -> Response {
    (StatusCode::CREATED, Json(Success { success: true, data })).into_response()
}

/// The same with its fields beside the envelope, too: programs written for an older line of the reference daemon look
/// for them there. `data` is an object.
pub(super) fn ok_and_beside(data: Value) -> Response {
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

/// One answer of several that come together, each in an envelope of its own.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answer<T> {
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
    /// What exactly was wrong, where `code` leaves that open.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// Only where it is: see [`ApiError::renewable`].
    #[serde(skip_serializing_if = "Option::is_none")]
    renewable: Option<bool>,
}

/// An answer that did not go well: for people, for programs, for HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// What exactly was wrong, where `code` leaves that open.
    pub(super) detail: Option<&'static str>,
    /// The access token has run out, and a new one is to be had.
    pub(super) renewable: bool,
    pub(super) retry_after: Option<Duration>,
    /// The bound that was reached, if that is what it is.
    pub(super) limit: Option<Limit>,
    /// For the log alone: what callers are not told.
    pub(super) cause: Option<String>,
}

/// Why an answer is a refusal, for those who count and log answers on their way out.
#[derive(Debug, Clone)]
pub(super) struct Reason {
    pub(super) code: &'static str,
    pub(super) limit: Option<Limit>,
    pub(super) cause: Option<String>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
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

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(super) fn no_such_stream() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_stream", "there is no such stream")
    }

    pub(super) fn no_such_user() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_user", SessionError::NoSuchUser.to_string())
    }

    pub(super) fn no_such_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_session", SessionError::NoSuchSession.to_string())
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message).because_of(Limit::BodySize)
    }

    /// A bound is reached. Without a time after which it may have passed, waiting does not help.
    pub(super) fn limit_reached(
        limit: Limit,
        message: impl Into<String>,
        retry_after: Option<Duration>,
    ) -> Self {
        let status = if retry_after.is_some() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::CONFLICT };
        Self { retry_after, ..Self::new(status, "limit_reached", message).because_of(limit) }
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this is a defect; the log says more")
    }

    /// The same about this token: if it cannot be read, with what stands around it that should not.
    pub(super) fn about(self, token: &str) -> Self {
        let is_unreadable = self.code.starts_with("malformed_") || self.detail == Some("malformed_token");
        if is_unreadable { self.wrapped_as(token) } else { self }
    }

    /// This is not the API token.
    pub(super) fn wrong_token(offered: &str) -> Self {
        Self::unauthorized("the API token is wrong").wrapped_as(offered)
    }

    fn wrapped_as(self, token: &str) -> Self {
        match wrapped_token(token) {
            Some(what) => Self { message: format!("{}: {what}", self.message), ..self },
            None => self,
        }
    }

    /// The same about this token, offered where login tokens are: if it is a standard JWT, with who verifies those.
    pub(super) fn about_login_token(self, token: &str) -> Self {
        match standard_jwt(token).filter(|_| self.code == "unsupported_algorithm") {
            Some(hint) => Self { message: format!("{}: {hint}", self.message), ..self },
            None => self.about(token),
        }
    }

    pub(super) fn because_of(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    fn caused_by(self, cause: impl ToString) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }
}

/// Tells callers what they need to know and the log the rest: no internals leave the daemon.
impl From<PortalError> for ApiError {
    fn from(error: PortalError) -> Self {
        match error {
            PortalError::BadRequest(message) => Self::bad_request(message),
            PortalError::NothingOpen => Self::new(StatusCode::NOT_FOUND, "no_such_stream", error.to_string()),
            PortalError::Conflict(message) => Self::new(StatusCode::CONFLICT, "conflict", message),
            PortalError::LimitReached { limit, message, retry_after } => {
                Self::limit_reached(limit, message, retry_after)
            }
            PortalError::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", error.to_string())
            }
            PortalError::NothingToLogInOver => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_relay", error.to_string())
            }
            PortalError::Store(error) => error.into(),
            PortalError::Seal => Self::internal().caused_by(error),
        }
    }
}

impl From<Nip05Error> for ApiError {
    fn from(error: Nip05Error) -> Self {
        let (status, code) = match &error {
            Nip05Error::NotAName(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Nip05Error::Unknown => (StatusCode::NOT_FOUND, "no_such_name"),
            Nip05Error::Unreachable(_) => (StatusCode::BAD_GATEWAY, "host_unreachable"),
            Nip05Error::Malformed(_) => (StatusCode::BAD_GATEWAY, "malformed_document"),
            Nip05Error::TooLarge => (StatusCode::BAD_GATEWAY, "document_too_large"),
            Nip05Error::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timed_out"),
        };
        let limit = (error == Nip05Error::TooLarge).then_some(Limit::Nip05Document);
        Self { limit, ..Self::new(status, code, error.to_string()) }
    }
}

impl From<SetError> for ApiError {
    fn from(error: SetError) -> Self {
        match error {
            SetError::OnSubkey => Self::new(StatusCode::CONFLICT, "conflict", error.to_string()),
            SetError::TooLarge => Self::bad_request(error.to_string()),
            SetError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", error.to_string()),
            SetError::Seal => Self::internal().caused_by(error),
        }
    }
}

impl From<Refused> for ApiError {
    fn from(reason: Refused) -> Self {
        let status = match reason {
            Refused::NoAccessToken | Refused::NoCredential => StatusCode::BAD_REQUEST,
            Refused::UserDisabled | Refused::UserNotListed => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        };
        let detail = match &reason {
            Refused::InvalidToken(error) => Some(error.code()),
            _ => None,
        };
        let renewable = matches!(reason, Refused::TokenExpired { renewable: true });
        Self { detail, renewable, ..Self::new(status, reason.code(), reason.to_string()) }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Refused(reason) => reason.into(),
            SessionError::BadRequest(message) => Self::bad_request(message),
            SessionError::NoSuchUser => Self::no_such_user(),
            SessionError::NoSuchSession => Self::no_such_session(),
            SessionError::UserExists(_) => Self::new(StatusCode::CONFLICT, "user_exists", error.to_string()),
            SessionError::Changed => {
                Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", error.to_string())
            }
            SessionError::LimitReached { limit, message, retry_after } => {
                Self::limit_reached(limit, message, Some(retry_after))
            }
            SessionError::ProviderUnavailable(cause) => {
                let message = "the wallet's provider cannot be asked now";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable", message).caused_by(cause)
            }
            SessionError::Store(error) => error.into(),
            SessionError::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", error.to_string())
            }
            _ => Self::internal().caused_by(error),
        }
    }
}

impl From<TokensError> for ApiError {
    fn from(error: TokensError) -> Self {
        let text = error.to_string();
        match error {
            TokensError::BadRequest(message) => Self::bad_request(message),
            TokensError::Token(error) => Self::new(StatusCode::BAD_REQUEST, error.code(), text),
            TokensError::Refused { code, .. } => Self::new(StatusCode::BAD_REQUEST, code, text),
            TokensError::NoIssuer { code, .. } => Self::new(StatusCode::NOT_FOUND, code, text),
            TokensError::LimitReached { limit, message, retry_after } => {
                Self::limit_reached(limit, message, Some(retry_after))
            }
            TokensError::Keys(cause) => {
                let message = "the keys of access tokens cannot be written; the old one signs on";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", message).caused_by(cause)
            }
            TokensError::Store(error) => error.into(),
            TokensError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", text),
            TokensError::Signing | TokensError::Defect(_) => Self::internal().caused_by(text),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = "the store is not available; nothing was changed";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message).caused_by(error)
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

/// An answer of some other form that is a refusal, for those who count and log answers on their way out.
pub(super) fn because(mut response: Response, code: &'static str) -> Response {
    response.extensions_mut().insert(Reason { code, limit: None, cause: None });
    response
}
