//! What the page shows of a login: one of a few states, each with one sentence and one button. Pure.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::events::{Event, EventBody, FailureCode};
use crate::protocol::AuthStatus;

/// A state of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// The code can be scanned until then.
    Scan { until: Timestamp },
    /// The code is there, but no relay is connected: nobody can scan it now.
    NoRelayYet,
    /// A wallet has scanned it, and its user can approve until then.
    Scanned { until: Timestamp },
    /// The user has approved.
    Approved,
    /// The app has the result.
    Finished,
    /// It ended without a result.
    Ended(Ending),
}

/// How a login ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The user said no.
    Declined,
    /// Nobody scanned the code in time.
    NotScanned,
    /// The user did not answer in time.
    NotAnswered,
    /// The user or the app took it back.
    Cancelled,
    /// The operator disabled the user.
    UserDisabled,
    /// The wallet has no user, and only listed users may log in.
    UserNotListed,
    /// This user was asked too often; not later than then it works again.
    TooOften { until: Timestamp },
    /// No relay was connected.
    NoRelay,
    /// The wallet sent an invalid token.
    InvalidToken,
}

/// The times that views depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// How long a user has to approve.
    pub(super) challenge: Duration,
    /// After this time a user who was asked too often is asked again.
    pub(super) prompts: Duration,
}

impl View {
    /// What the events of a login mean, if its code can be scanned until `until`.
    pub(super) fn of(events: &[Event], until: Timestamp, times: Times) -> Self {
        let mut view = Self::Scan { until };
        for event in events {
            let was_scanned = matches!(view, Self::Scanned { .. });
            view = match &event.body {
                EventBody::KeyHandshake { .. } => {
                    Self::Scanned { until: event.timestamp.plus(times.challenge) }
                }
                EventBody::AuthenticateKey { status: AuthStatus::Approved { .. }, .. } => Self::Approved,
                EventBody::AuthenticateKey { status: AuthStatus::Declined { .. }, .. } => {
                    Self::Ended(Ending::Declined)
                }
                EventBody::Error { code, .. } => {
                    Self::Ended(Ending::of(*code, was_scanned, event.timestamp.plus(times.prompts)))
                }
                EventBody::SessionCreated { .. } | EventBody::SessionRevoked { .. } => view,
            };
        }
        view
    }

    /// The state by its name: for the page's module, styles and tests.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Scan { .. } => "scan",
            Self::NoRelayYet => "no_relay_yet",
            Self::Scanned { .. } => "scanned",
            Self::Approved => "approved",
            Self::Finished => "finished",
            Self::Ended(ending) => ending.code(),
        }
    }

    /// Whether the state can change without the user of the browser.
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::Scan { .. } | Self::NoRelayYet | Self::Scanned { .. })
    }
}

impl Ending {
    fn of(code: FailureCode, was_scanned: bool, until: Timestamp) -> Self {
        match code {
            FailureCode::TimedOut if was_scanned => Self::NotAnswered,
            FailureCode::TimedOut => Self::NotScanned,
            FailureCode::NoRelay => Self::NoRelay,
            FailureCode::SessionTokenInvalid => Self::InvalidToken,
            FailureCode::Cancelled => Self::Cancelled,
            FailureCode::UserDisabled => Self::UserDisabled,
            FailureCode::UserNotListed => Self::UserNotListed,
            FailureCode::TooManyRequests => Self::TooOften { until },
        }
    }

    /// The code of the API, which an app gets as `error` if the user goes back to it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::NotScanned | Self::NotAnswered => FailureCode::TimedOut.as_str(),
            Self::Cancelled => FailureCode::Cancelled.as_str(),
            Self::UserDisabled => FailureCode::UserDisabled.as_str(),
            Self::UserNotListed => FailureCode::UserNotListed.as_str(),
            Self::TooOften { .. } => FailureCode::TooManyRequests.as_str(),
            Self::NoRelay => FailureCode::NoRelay.as_str(),
            Self::InvalidToken => FailureCode::SessionTokenInvalid.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use nostr_sdk::Keys;

    use super::*;
    use crate::protocol::SessionToken;

    const TIMES: Times = Times { challenge: Duration::from_secs(300), prompts: Duration::from_secs(600) };

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn view(bodies: Vec<EventBody>) -> View {
        let events: Vec<Event> = bodies
            .into_iter()
            .zip(1..)
            .map(|(body, index)| Event { index, timestamp: at(1_000), body })
            .collect();
        View::of(&events, at(900), TIMES)
    }

    fn scan() -> EventBody {
        EventBody::KeyHandshake { main_key: Keys::generate().public_key(), preferred_relays: vec![] }
    }

    fn answer(status: AuthStatus) -> EventBody {
        let key = Keys::generate().public_key();
        let challenge = String::new();
        EventBody::AuthenticateKey {
            user_key: key,
            recipient: key,
            challenge,
            status,
            session: None,
            login: None,
        }
    }

    fn error(code: FailureCode) -> EventBody {
        EventBody::Error { reason: String::new(), code, detail: None, user_key: None, request: None }
    }

    #[test]
    fn each_step_of_a_login_is_a_state_of_the_page() {
        let approved = AuthStatus::Approved {
            granted_permissions: vec![],
            session_token: SessionToken::new("t".to_owned()),
        };
        assert_eq!(view(vec![]), View::Scan { until: at(900) });
        assert_eq!(view(vec![scan()]), View::Scanned { until: at(1_300) });
        assert_eq!(view(vec![scan(), answer(approved)]), View::Approved);
        let declined = answer(AuthStatus::Declined { reason: None });
        assert_eq!(view(vec![scan(), declined]), View::Ended(Ending::Declined));
    }

    #[test]
    fn each_code_of_a_failure_is_an_ending_with_that_code() {
        for (code, scanned, ending) in [
            (FailureCode::TimedOut, false, Ending::NotScanned),
            (FailureCode::TimedOut, true, Ending::NotAnswered),
            (FailureCode::NoRelay, false, Ending::NoRelay),
            (FailureCode::SessionTokenInvalid, true, Ending::InvalidToken),
            (FailureCode::Cancelled, false, Ending::Cancelled),
            (FailureCode::UserDisabled, true, Ending::UserDisabled),
            (FailureCode::UserNotListed, true, Ending::UserNotListed),
            (FailureCode::TooManyRequests, true, Ending::TooOften { until: at(1_600) }),
        ] {
            let before = if scanned { vec![scan()] } else { vec![] };
            let events = before.into_iter().chain([error(code)]).collect();
            assert_eq!(view(events), View::Ended(ending));
            assert_eq!(ending.code(), code.as_str());
        }
    }
}
