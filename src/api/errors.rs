//! The one place that maps the errors of the services to a status and a code.

use std::time::Duration;

use axum::http::StatusCode;

use crate::api_tokens::NamedTokenError;
use crate::directory::Nip05Error;
use crate::http::envelope::ApiError;
use crate::metrics::Limit;
use crate::portal::PortalError;
use crate::profile::SetError;
use crate::session::{Reason as Refused, SessionError};
use crate::store::StoreError;
use crate::tokens::{TokensError, standard_jwt, wrapped_token};
use crate::web::CodeError;

impl ApiError {
    pub(super) fn no_such_stream() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_stream", "no such stream")
    }

    pub(super) fn no_such_user() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_user", SessionError::NoSuchUser.to_string())
    }

    pub(super) fn no_such_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_session", SessionError::NoSuchSession.to_string())
    }

    /// The same about this token: if it cannot be read, the text also names the characters around it that must go.
    pub(super) fn about(self, token: &str) -> Self {
        let is_unreadable = self.code.starts_with("malformed_") || self.detail == Some("malformed_token");
        if is_unreadable { self.wrapped_as(token) } else { self }
    }

    /// The token is not the API token.
    pub(super) fn wrong_token(offered: &str) -> Self {
        Self::unauthorized("the API token is wrong").wrapped_as(offered)
    }

    /// The API token was good, and is no more.
    pub(super) fn token_over() -> Self {
        Self::unauthorized("the API token has expired or was revoked")
    }

    fn wrapped_as(self, token: &str) -> Self {
        match wrapped_token(token) {
            Some(what) => Self { message: format!("{}: {what}", self.message), ..self },
            None => self,
        }
    }

    /// The same for a token where login tokens are expected: if it is a standard JWT, the text also says what
    /// verifies it.
    pub(super) fn about_login_token(self, token: &str) -> Self {
        match standard_jwt(token).filter(|_| self.code == "unsupported_algorithm") {
            Some(hint) => Self { message: format!("{}: {hint}", self.message), ..self },
            None => self.about(token),
        }
    }
}

/// Separates the text for callers from the text for the log: no internals leave the daemon.
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

impl From<CodeError> for ApiError {
    fn from(error: CodeError) -> Self {
        let message = error.to_string();
        match (error.reason(), error) {
            (Some(code), _) => Self::new(StatusCode::BAD_REQUEST, code, message),
            (None, CodeError::NotYourApp) => Self::forbidden(message),
            (None, CodeError::Store(error)) => error.into(),
            (None, _) => Self::bad_request(format!("app: {message}")),
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
            Refused::InvalidToken(_)
            | Refused::TokenExpired { .. }
            | Refused::SessionExpired
            | Refused::SessionMismatch(_)
            | Refused::NoSession
            | Refused::SessionRevoked
            | Refused::Credential { .. } => StatusCode::UNAUTHORIZED,
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
            SessionError::Signing => Self::internal().caused_by(error),
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
                let message = "the keys of access tokens cannot be written; the old key continues to sign";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", message).caused_by(cause)
            }
            TokensError::Store(error) => error.into(),
            TokensError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", text),
            TokensError::Signing | TokensError::Defect(_) => Self::internal().caused_by(text),
        }
    }
}

impl From<NamedTokenError> for ApiError {
    fn from(error: NamedTokenError) -> Self {
        let message = error.to_string();
        match error {
            NamedTokenError::BadRequest(message) => Self::bad_request(message),
            NamedTokenError::NameTaken(_) => Self::new(StatusCode::CONFLICT, "token_exists", message),
            NamedTokenError::NoSuchToken => Self::new(StatusCode::NOT_FOUND, "no_such_token", message),
            NamedTokenError::MissingRight(_) => Self::new(StatusCode::FORBIDDEN, "missing_right", message),
            NamedTokenError::MakerIsOver => Self::token_over(),
            NamedTokenError::LimitReached => Self::limit_reached(Limit::ApiTokens, message, None),
            NamedTokenError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message),
            NamedTokenError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        /// A store that is away is asked again by every caller that waits for it.
        const RETRY_AFTER: Duration = Duration::from_secs(2);

        let message = "the store is unavailable; nothing was changed";
        let may_pass = matches!(error, StoreError::Unavailable(_));
        let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message);
        Self { retry_after: may_pass.then_some(RETRY_AFTER), ..refused.caused_by(error) }
    }
}
