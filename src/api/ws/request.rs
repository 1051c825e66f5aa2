//! Parses a client's message into a command. Pure.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::effect::Effect;
use crate::api::routes::jwt::Wanted;
use crate::api::routes::logins::{NewHandshake, WhoIs};
use crate::api::routes::questions::Question;
use crate::api::routes::relays::Which;
use crate::config::ProfileRules;
use crate::directory::Profile;
use crate::http::envelope::ApiError;
use crate::http::mistake::without_values;
use crate::http::object::Object;
use crate::portal::StreamId;
use crate::quoted::quoted;
use crate::rights::Right;
use crate::session::AuditKind;

/// A message of a client.
pub(in crate::api) struct Request {
    /// The id of the answer; `null` if the client gave none.
    pub(super) id: Value,
    /// `None`: there is no such command.
    pub(super) kind: Option<&'static Kind>,
    pub(super) command: Result<Command, ApiError>,
}

/// A command as it is listed: everything about it that is known before its parameters are read.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The right that it needs: that of the route that does the same.
    pub(super) needs: Option<Right>,
    pub(super) effect: Effect,
    read: fn(Value) -> Result<Command, ApiError>,
}

impl Kind {
    const fn new(
        name: &'static str,
        needs: Option<Right>,
        effect: Effect,
        read: fn(Value) -> Result<Command, ApiError>,
    ) -> Self {
        Self { name, needs, effect, read }
    }
}

/// Every command.
const KINDS: &[Kind] = &[
    Kind::new("Auth", None, ANSWERS, |params| read(params).map(Command::Auth)),
    Kind::new("NewKeyHandshakeUrl", LOGIN, STEP, |params| read(params).map(Command::NewKeyHandshakeUrl)),
    Kind::new("AuthenticateKey", LOGIN, STEP, |params| read(params).map(Command::AuthenticateKey)),
    Kind::new("IssueJwt", ISSUE, ISSUES, |params| read(params).map(Command::IssueJwt)),
    Kind::new("VerifyJwt", CHECK, ANSWERS, |params| read(params).map(Command::VerifyJwt)),
    Kind::new("FetchProfile", LOGIN, ANSWERS, |params| read(params).map(Command::FetchProfile)),
    Kind::new("FetchNip05Profile", LOGIN, ANSWERS, |params| read(params).map(Command::FetchNip05Profile)),
    Kind::new("SetProfile", OPERATE, changes(AuditKind::ProfileSet), |params| {
        read(params).map(Command::SetProfile)
    }),
    Kind::new("AddRelay", OPERATE, changes(AuditKind::RelayAdded), |params| {
        read(params).map(Command::AddRelay)
    }),
    Kind::new("RemoveRelay", OPERATE, changes(AuditKind::RelayRemoved), |params| {
        read(params).map(Command::RemoveRelay)
    }),
    Kind::new("ListenClosedRecurringPayment", LOGIN, ANSWERS, |_| Ok(Command::ListenClosedRecurringPayment)),
    Kind::new("Subscribe", LOGIN, ANSWERS, |params| read(params).map(Command::Subscribe)),
    Kind::new("Unsubscribe", LOGIN, ANSWERS, |params| read(params).map(Command::Unsubscribe)),
];

const CHECK: Option<Right> = Some(Right::Check);
const LOGIN: Option<Right> = Some(Right::Login);
const ISSUE: Option<Right> = Some(Right::Issue);
const OPERATE: Option<Right> = Some(Right::Operate);

const ANSWERS: Effect = Effect::Answers;
const STEP: Effect = Effect::Login;
const ISSUES: Effect = Effect::Issues;

const fn changes(kind: AuditKind) -> Effect {
    Effect::Changes(kind)
}

pub(super) enum Command {
    Auth(Token),
    NewKeyHandshakeUrl(NewHandshake),
    AuthenticateKey(WhoIs),
    IssueJwt(Wanted),
    VerifyJwt(Question),
    FetchProfile(MainKey),
    FetchNip05Profile(Nip05),
    SetProfile(NewProfile),
    AddRelay(Which),
    RemoveRelay(Which),
    /// Clients of the reference send this when they start. It takes no parameters.
    ListenClosedRecurringPayment,
    Subscribe(Subscription),
    Unsubscribe(Subscription),
}

#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) token: String,
}

#[derive(Deserialize)]
pub(super) struct MainKey {
    pub(super) main_key: String,
}

#[derive(Deserialize)]
pub(super) struct Nip05 {
    pub(super) nip05: String,
}

#[derive(Deserialize)]
pub(super) struct NewProfile {
    profile: Profile,
}

impl NewProfile {
    /// The profile as it is published.
    pub(super) fn profile(self) -> ProfileRules {
        let Profile { name, display_name, picture, nip05 } = self.profile;
        ProfileRules { name, display_name, picture, nip05 }
    }
}

#[derive(Deserialize)]
pub(super) struct Subscription {
    pub(super) stream_id: String,
    #[serde(default)]
    pub(super) after: u64,
}

impl Subscription {
    /// An invalid id names no stream.
    pub(super) fn stream(&self) -> Result<StreamId, ApiError> {
        self.stream_id.parse().map_err(|_| ApiError::no_such_stream())
    }
}

impl Request {
    /// Parses a message. A malformed message keeps its id if it has one, so that the error names it.
    pub(in crate::api) fn parse(text: &str) -> Self {
        #[derive(Deserialize)]
        struct Message {
            #[serde(default)]
            id: Value,
            cmd: String,
            #[serde(default)]
            params: Value,
        }
        match serde_json::from_str::<Object<Message>>(text) {
            Ok(Object(Message { id, cmd, params })) => match KINDS.iter().find(|kind| kind.name == cmd) {
                Some(kind) => Self { id, kind: Some(kind), command: (kind.read)(params) },
                None => {
                    let message = format!("no such command: {}", quoted(&cmd));
                    let error = ApiError::new(StatusCode::BAD_REQUEST, "unsupported_command", message);
                    Self { id, kind: None, command: Err(error) }
                }
            },
            Err(error) => {
                let id =
                    serde_json::from_str::<Value>(text).ok().and_then(|message| message.get("id").cloned());
                let error = ApiError::bad_request(format!("message: {}", without_values(&error.to_string())));
                Self { id: id.unwrap_or_default(), kind: None, command: Err(error) }
            }
        }
    }
}

impl Command {
    /// Whether the command needs no wait and has one answer.
    pub(super) fn only_computes(&self) -> bool {
        match self {
            Self::IssueJwt(_) => true,
            Self::VerifyJwt(question) => !question.session,
            _ => false,
        }
    }
}

/// Missing parameters are the same as empty ones.
fn read<T: DeserializeOwned>(params: Value) -> Result<T, ApiError> {
    let params = if params.is_null() { json!({}) } else { params };
    let read = serde_json::from_value(params).map(|Object(value)| value);
    read.map_err(|error| ApiError::bad_request(format!("params: {}", without_values(&error.to_string()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_needs_the_right_of_the_route_that_does_the_same() {
        let needs: Vec<_> = KINDS.iter().map(|kind| (kind.name, kind.needs)).collect();
        assert_eq!(
            needs,
            [
                ("Auth", None),
                ("NewKeyHandshakeUrl", LOGIN),
                ("AuthenticateKey", LOGIN),
                ("IssueJwt", ISSUE),
                ("VerifyJwt", CHECK),
                ("FetchProfile", LOGIN),
                ("FetchNip05Profile", LOGIN),
                ("SetProfile", OPERATE),
                ("AddRelay", OPERATE),
                ("RemoveRelay", OPERATE),
                ("ListenClosedRecurringPayment", LOGIN),
                ("Subscribe", LOGIN),
                ("Unsubscribe", LOGIN),
            ]
        );
    }

    #[test]
    fn every_command_that_changes_the_service_says_so_and_no_other() {
        for Kind { name, needs, effect, .. } in KINDS {
            assert_eq!(matches!(effect, Effect::Changes(_)), *needs == OPERATE, "{name}");
            assert_eq!(*effect == Effect::Issues, *needs == ISSUE, "{name}");
        }
    }

    #[test]
    fn the_kind_of_a_command_is_known_even_if_its_parameters_are_wrong() {
        for kind in KINDS {
            let message = json!({ "id": 1, "cmd": kind.name, "params": 7 }).to_string();
            assert_eq!(Request::parse(&message).kind.map(|known| known.name), Some(kind.name));
        }
        assert!(Request::parse("{\"cmd\":\"Pay\"}").kind.is_none());
    }
}
