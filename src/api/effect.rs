//! What each route and each command does to the service. The route table and the list of commands have it in every row, so
//! that no new one is forgotten. A change is in the audit, by the service that makes it, and in the log, by the code here.

use std::fmt;

use axum::http::StatusCode;

use crate::session::AuditKind;

/// What a route or a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It answers, and changes nothing.
    Answers,
    /// A step in the login of a user: its stream keeps it, and the audit keeps the session.
    Login,
    /// It issues a token: `tokens::Issued` has it in the audit and the log.
    Issues,
    /// It changes what all callers share. The audit has a record of this kind.
    Changes(AuditKind),
}

impl Effect {
    /// The kind of the audit record, if there is one.
    #[cfg(test)]
    pub(super) const fn audited_as(self) -> Option<AuditKind> {
        match self {
            Self::Answers | Self::Login => None,
            Self::Issues => Some(AuditKind::TokenIssued),
            Self::Changes(kind) => Some(kind),
        }
    }
}

/// A change that a caller has asked for. It is logged when this value is dropped, so also if the caller leaves before its
/// answer: the change runs to its end without it.
pub(super) struct Change {
    by: String,
    what: String,
    request_id: String,
    ended: Ended,
}

enum Ended {
    /// The caller has left.
    Unanswered,
    Done,
    /// It was refused or is impossible: nothing was changed.
    Refused,
    /// It may have been made.
    Failed(&'static str),
}

impl Ended {
    /// How the log names it. `None`: nothing was changed.
    const fn result(&self) -> Option<&'static str> {
        match self {
            Self::Refused => None,
            Self::Done => Some("ok"),
            Self::Failed(code) => Some(code),
            Self::Unanswered => Some("unanswered"),
        }
    }

    /// By the answer that the caller got.
    fn of(status: StatusCode, code: Option<&'static str>) -> Self {
        match code {
            None if status.is_success() => Self::Done,
            code if status.is_server_error() => Self::Failed(code.unwrap_or("internal")),
            _ => Self::Refused,
        }
    }
}

impl Change {
    /// `by` asks for it, by this route or command.
    pub(super) fn begin(by: &impl fmt::Display, what: String, request_id: &impl fmt::Display) -> Self {
        let (by, request_id) = (by.to_string(), request_id.to_string());
        Self { by, what, request_id, ended: Ended::Unanswered }
    }

    /// The caller got this answer.
    pub(super) fn answered(mut self, status: StatusCode, code: Option<&'static str>) {
        self.ended = Ended::of(status, code);
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let Self { by, what, request_id, ended } = self;
        let Some(result) = ended.result() else { return };
        tracing::info!(by, change = what, result, request_id, "a caller changed the service");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change runs to its end, so a caller who hangs up before the answer may have made it.
    #[test]
    fn what_may_have_been_changed_is_logged_and_what_was_refused_is_not() {
        assert_eq!(Ended::Unanswered.result(), Some("unanswered"));
        for (status, code, result) in [
            (StatusCode::OK, None, Some("ok")),
            (StatusCode::CREATED, None, Some("ok")),
            (StatusCode::SERVICE_UNAVAILABLE, Some("timed_out"), Some("timed_out")),
            (StatusCode::INTERNAL_SERVER_ERROR, None, Some("internal")),
            (StatusCode::NOT_FOUND, Some("no_such_relay"), None),
            (StatusCode::UNAUTHORIZED, Some("unauthorized"), None),
        ] {
            assert_eq!(Ended::of(status, code).result(), result, "{status}");
        }
    }
}
