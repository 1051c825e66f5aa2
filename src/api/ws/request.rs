//! Parses a client's message into a command. Pure.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

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

/// A message of a client.
pub(in crate::api) struct Request {
    /// The id of the answer; `null` if the client gave none.
    pub(super) id: Value,
    pub(super) command: Result<Command, ApiError>,
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
            Ok(Object(Message { id, cmd, params })) => Self { id, command: Command::read(&cmd, params) },
            Err(error) => {
                let id =
                    serde_json::from_str::<Value>(text).ok().and_then(|message| message.get("id").cloned());
                let error = ApiError::bad_request(format!("message: {}", without_values(&error.to_string())));
                Self { id: id.unwrap_or_default(), command: Err(error) }
            }
        }
    }
}

impl Command {
    /// The label of the command in the metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Auth(_) => "Auth",
            Self::NewKeyHandshakeUrl(_) => "NewKeyHandshakeUrl",
            Self::AuthenticateKey(_) => "AuthenticateKey",
            Self::IssueJwt(_) => "IssueJwt",
            Self::VerifyJwt(_) => "VerifyJwt",
            Self::FetchProfile(_) => "FetchProfile",
            Self::FetchNip05Profile(_) => "FetchNip05Profile",
            Self::SetProfile(_) => "SetProfile",
            Self::AddRelay(_) => "AddRelay",
            Self::RemoveRelay(_) => "RemoveRelay",
            Self::ListenClosedRecurringPayment => "ListenClosedRecurringPayment",
            Self::Subscribe(_) => "Subscribe",
            Self::Unsubscribe(_) => "Unsubscribe",
        }
    }

    /// The right that the command needs: that of the route that does the same.
    pub(super) fn needs(&self) -> Option<Right> {
        match self {
            Self::Auth(_) => None,
            Self::VerifyJwt(_) => Some(Right::Check),
            Self::IssueJwt(_) => Some(Right::Issue),
            Self::SetProfile(_) | Self::AddRelay(_) | Self::RemoveRelay(_) => Some(Right::Operate),
            Self::NewKeyHandshakeUrl(_)
            | Self::AuthenticateKey(_)
            | Self::FetchProfile(_)
            | Self::FetchNip05Profile(_)
            | Self::ListenClosedRecurringPayment
            | Self::Subscribe(_)
            | Self::Unsubscribe(_) => Some(Right::Login),
        }
    }

    /// Whether the command needs no wait and has one answer.
    pub(super) fn only_computes(&self) -> bool {
        match self {
            Self::IssueJwt(_) => true,
            Self::VerifyJwt(question) => !question.session,
            _ => false,
        }
    }

    fn read(name: &str, params: Value) -> Result<Self, ApiError> {
        Ok(match name {
            "Auth" => Self::Auth(read(params)?),
            "NewKeyHandshakeUrl" => Self::NewKeyHandshakeUrl(read(params)?),
            "AuthenticateKey" => Self::AuthenticateKey(read(params)?),
            "IssueJwt" => Self::IssueJwt(read(params)?),
            "VerifyJwt" => Self::VerifyJwt(read(params)?),
            "FetchProfile" => Self::FetchProfile(read(params)?),
            "FetchNip05Profile" => Self::FetchNip05Profile(read(params)?),
            "SetProfile" => Self::SetProfile(read(params)?),
            "AddRelay" => Self::AddRelay(read(params)?),
            "RemoveRelay" => Self::RemoveRelay(read(params)?),
            "ListenClosedRecurringPayment" => Self::ListenClosedRecurringPayment,
            "Subscribe" => Self::Subscribe(read(params)?),
            "Unsubscribe" => Self::Unsubscribe(read(params)?),
            other => {
                let message = format!("no such command: {}", quoted(other));
                return Err(ApiError::new(StatusCode::BAD_REQUEST, "unsupported_command", message));
            }
        })
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
        let key = "aa".repeat(32);
        for (command, params, needs) in [
            ("Auth", json!({ "token": "x" }), None),
            ("VerifyJwt", json!({ "pubkey": key, "token": "x" }), Some(Right::Check)),
            ("IssueJwt", json!({ "target_key": key, "duration_hours": 1 }), Some(Right::Issue)),
            ("SetProfile", json!({ "profile": {} }), Some(Right::Operate)),
            ("AddRelay", json!({ "relay": "x" }), Some(Right::Operate)),
            ("RemoveRelay", json!({ "relay": "x" }), Some(Right::Operate)),
            ("NewKeyHandshakeUrl", json!({}), Some(Right::Login)),
            ("AuthenticateKey", json!({ "main_key": key }), Some(Right::Login)),
            ("FetchProfile", json!({ "main_key": key }), Some(Right::Login)),
            ("FetchNip05Profile", json!({ "nip05": "x" }), Some(Right::Login)),
            ("ListenClosedRecurringPayment", json!({}), Some(Right::Login)),
            ("Subscribe", json!({ "stream_id": "x" }), Some(Right::Login)),
            ("Unsubscribe", json!({ "stream_id": "x" }), Some(Right::Login)),
        ] {
            let message = json!({ "cmd": command, "params": params }).to_string();
            let read =
                Request::parse(&message).command.unwrap_or_else(|error| panic!("{command}: {error:?}"));
            assert_eq!(read.needs(), needs, "{command}");
        }
    }
}
