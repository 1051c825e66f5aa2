//! What each command does.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::session::{Outbox, Session};
use crate::api::body::public_key;
use crate::api::envelope::ApiError;
use crate::api::routes::auth::{NewHandshake, WhoIs, authenticate as authenticate_user};
use crate::api::routes::jwt::{NewToken, issue_token, verify_token};
use crate::api::routes::questions::Question;
use crate::api::routes::relays::Which;
use crate::auth::{Profile, StreamId};
use crate::events::{Event, EventBody, Follower};

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    id: Value,
    cmd: String,
    #[serde(default)]
    params: Value,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct MainKey {
    main_key: String,
}

#[derive(Deserialize)]
struct Nip05 {
    nip05: String,
}

#[derive(Deserialize)]
struct NewProfile {
    profile: Profile,
}

#[derive(Deserialize)]
struct Subscription {
    stream_id: String,
    #[serde(default)]
    after: u64,
}

/// What a command leads to.
enum Outcome {
    /// An answer.
    Data(Value),
    /// An answer, and then what happens on a stream.
    Follow {
        data: Value,
        stream: StreamId,
        follower: Box<Follower>,
        permit: OwnedSemaphorePermit,
        tell_end: bool,
    },
    /// An answer once a stream has ended.
    Await(Box<Follower>, OwnedSemaphorePermit),
}

/// The first message of a client that is not trusted yet; `false`: it is not let in.
pub(super) fn authenticate(session: &Session, text: &str, outbox: &Outbox) -> bool {
    let request = match parse(text) {
        Ok(request) => request,
        Err((id, error)) => {
            outbox.send(&failure(&id, &error));
            return false;
        }
    };
    let result = match request.cmd.as_str() {
        "Auth" => auth(session, request.params),
        _ => Err(ApiError::unauthorized("the first command must be Auth")),
    };
    match result {
        Ok(data) => {
            outbox.send(&success(&request.id, data));
            true
        }
        Err(error) => {
            outbox.send(&failure(&request.id, &error));
            false
        }
    }
}

/// Runs one command and sends what it leads to. `place` is given back once the command itself is done.
pub(super) async fn run(session: Session, text: &str, outbox: Outbox, place: OwnedSemaphorePermit) {
    let request = match parse(text) {
        Ok(request) => request,
        Err((id, error)) => return outbox.send(&failure(&id, &error)),
    };
    let outcome = execute(&session, &request.cmd, request.params).await;
    drop(place);
    match outcome {
        Ok(Outcome::Data(data)) => outbox.send(&success(&request.id, data)),
        Ok(Outcome::Follow { data, stream, follower, permit, tell_end }) => {
            outbox.send(&success(&request.id, data));
            let unsubscribed = CancellationToken::new();
            if let Some(former) = session.subscriptions.insert(stream, unsubscribed.clone()) {
                former.cancel();
            }
            tokio::select! {
                () = follow(stream, *follower, &outbox) => {
                    session.subscriptions.remove(&stream);
                    if tell_end {
                        outbox.send(&json!({ "type": "ended", "id": stream.to_string() }));
                    }
                }
                () = unsubscribed.cancelled() => {}
            }
            drop(permit);
        }
        Ok(Outcome::Await(follower, permit)) => {
            outbox.send(&answer_of(&request.id, *follower).await);
            drop(permit);
        }
        Err(error) => outbox.send(&failure(&request.id, &error)),
    }
}

async fn execute(session: &Session, cmd: &str, params: Value) -> Result<Outcome, ApiError> {
    let service = &session.api.auth;
    let data = match cmd {
        "Auth" => auth(session, params)?,
        "NewKeyHandshakeUrl" => {
            let new: NewHandshake = read(params)?;
            let permit = may_follow(session)?;
            let opened = service.new_handshake(new.static_token, new.no_request.unwrap_or(false)).await?;
            let stream = opened.stream;
            let data = json!({
                "type": "key_handshake_url", "url": opened.url, "stream_id": stream.to_string(),
            });
            let follower = followed(session, stream, 0).await?;
            return Ok(Outcome::Follow { data, stream, follower, permit, tell_end: false });
        }
        "AuthenticateKey" => {
            let who: WhoIs = read(params)?;
            let permit = may_follow(session)?;
            let stream = authenticate_user(&session.api, &who).await?;
            return Ok(Outcome::Await(followed(session, stream, 0).await?, permit));
        }
        "IssueJwt" => {
            let new: NewToken = read(params)?;
            json!({ "type": "issue_jwt", "token": issue_token(&session.api, &new)? })
        }
        "VerifyJwt" => {
            let question: Question = read(params)?;
            typed("verify_jwt", json!(verify_token(&session.api, &question).await?))
        }
        "FetchProfile" => {
            let key = public_key("main_key", &read::<MainKey>(params)?.main_key)?;
            json!({ "type": "profile", "profile": service.profile(&key).await })
        }
        "FetchNip05Profile" => {
            let profile = service.nip05(&read::<Nip05>(params)?.nip05).await?;
            json!({ "type": "fetch_nip05_profile", "profile": profile })
        }
        "SetProfile" => {
            let published = service.set_profile(&read::<NewProfile>(params)?.profile).await?;
            if !published {
                let message = "no relay took the profile";
                return Err(ApiError::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "no_relay", message));
            }
            json!({ "type": "auth_success", "message": "profile published" })
        }
        "AddRelay" => {
            let relay = service.add_relay(&read::<Which>(params)?.relay).await?;
            json!({ "type": "add_relay", "relay": relay.to_string() })
        }
        "RemoveRelay" => {
            let relay = service.remove_relay(&read::<Which>(params)?.relay).await?;
            json!({ "type": "remove_relay", "relay": relay.to_string() })
        }
        "Subscribe" => {
            let Subscription { stream_id, after } = read(params)?;
            let stream = stream_of(&stream_id)?;
            let permit = may_follow(session)?;
            let follower = followed(session, stream, after).await?;
            let data = json!({ "type": "subscribe", "stream_id": stream_id });
            return Ok(Outcome::Follow { data, stream, follower, permit, tell_end: true });
        }
        "Unsubscribe" => {
            let Subscription { stream_id, .. } = read(params)?;
            let stream = stream_of(&stream_id)?;
            let (_, subscription) =
                session.subscriptions.remove(&stream).ok_or_else(ApiError::no_such_stream)?;
            subscription.cancel();
            json!({ "type": "unsubscribe", "stream_id": stream_id })
        }
        other => {
            let message = format!("there is no command {other:?} here");
            return Err(ApiError::new(axum::http::StatusCode::BAD_REQUEST, "unsupported_command", message));
        }
    };
    Ok(Outcome::Data(data))
}

fn auth(session: &Session, params: Value) -> Result<Value, ApiError> {
    let offered: Token = read(params)?;
    if !session.trusted && !session.api.guard.is_token(&offered.token) {
        return Err(ApiError::unauthorized("the API token is wrong"));
    }
    session.authenticate();
    Ok(json!({ "type": "auth_success", "message": "authenticated" }))
}

fn may_follow(session: &Session) -> Result<OwnedSemaphorePermit, ApiError> {
    let permit = std::sync::Arc::clone(&session.followed).try_acquire_owned();
    permit.map_err(|_| {
        let wait = std::time::Duration::from_secs(10);
        ApiError::limit_reached("too many streams are followed on this connection", wait)
    })
}

async fn followed(session: &Session, stream: StreamId, after: u64) -> Result<Box<Follower>, ApiError> {
    let follower = session.api.auth.events().follow(stream, after).await?;
    follower.map(Box::new).ok_or_else(ApiError::no_such_stream)
}

/// Sends every event of a stream as a notification.
async fn follow(stream: StreamId, mut follower: Follower, outbox: &Outbox) {
    loop {
        match follower.next().await {
            Ok(Some(event)) => outbox.send(&notification(stream, &event)),
            Ok(None) => return,
            Err(error) => {
                let error = ApiError::from(error);
                let data = json!({ "type": "error", "reason": error.message, "code": error.code });
                return outbox
                    .send(&json!({ "type": "notification", "id": stream.to_string(), "data": data }));
            }
        }
    }
}

/// What a challenge came to, as the answer to the command that asked it.
async fn answer_of(id: &Value, mut follower: Follower) -> Value {
    loop {
        match follower.next().await {
            Ok(Some(Event { body: EventBody::Error { reason, code, detail, .. }, .. })) => {
                let mut answer = json!({ "type": "error", "id": id, "message": reason, "code": code });
                if let Some(detail) = detail {
                    answer["detail"] = detail.into();
                }
                return answer;
            }
            Ok(Some(Event { body: body @ EventBody::AuthenticateKey { .. }, .. })) => {
                let mut event = json!(body);
                if let Some(fields) = event.as_object_mut() {
                    fields.remove("type");
                }
                return success(id, json!({ "type": "auth_response", "event": event }));
            }
            Ok(Some(_)) => {}
            Ok(None) => return failure(id, &ApiError::no_such_stream()),
            Err(error) => return failure(id, &error.into()),
        }
    }
}

fn parse(text: &str) -> Result<Request, (Value, ApiError)> {
    serde_json::from_str(text).map_err(|error| {
        let id = serde_json::from_str::<Value>(text).ok().and_then(|message| message.get("id").cloned());
        (id.unwrap_or_default(), ApiError::bad_request(format!("message: {error}")))
    })
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, ApiError> {
    let params = if params.is_null() { json!({}) } else { params };
    serde_json::from_value(params).map_err(|error| ApiError::bad_request(format!("params: {error}")))
}

fn stream_of(text: &str) -> Result<StreamId, ApiError> {
    text.parse().map_err(|_| ApiError::no_such_stream())
}

fn typed(name: &str, mut data: Value) -> Value {
    data["type"] = name.into();
    data
}

fn success(id: &Value, data: Value) -> Value {
    json!({ "type": "success", "id": id, "data": data })
}

fn failure(id: &Value, error: &ApiError) -> Value {
    json!({ "type": "error", "id": id, "message": error.message, "code": error.code })
}

fn notification(stream: StreamId, event: &Event) -> Value {
    json!({ "type": "notification", "id": stream.to_string(), "data": event })
}
