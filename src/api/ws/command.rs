//! Runs the commands.

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::answer::{Data, failure, notification, success, text};
use super::connection::{Connection, SendQueue};
use super::request::{Command, Kind, Request, Subscription, Token};
use crate::api::effect::Effect;
use crate::api::public_key::public_key;
use crate::api::routes::jwt::{issue_token, verify_token};
use crate::api::routes::logins::{NewHandshake, authenticate as authenticate_user};
use crate::api::routes::recurring;
use crate::events::{Event, EventBody, Follower};
use crate::http::envelope::ApiError;
use crate::http::room::Following;
use crate::portal::StreamId;

/// The result of a command.
enum Outcome {
    /// An answer.
    Data(Data),
    /// An answer, and then the events of a stream.
    Follow { data: Value, stream: StreamId, follower: Box<Follower>, room: Following, told: Told },
    /// An answer once a stream has ended.
    Await(Box<Follower>, Following),
}

/// The events of a stream that a client gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Only scans: clients of the reference take every notification for a scan.
    Scans,
    /// Every event, and `ended` after the last one: the client has subscribed.
    Everything,
}

/// The first command of a client, or another `Auth`; `false`: the client is refused.
pub(super) async fn authenticate(connection: &Connection, request: Request, send_queue: &SendQueue) -> bool {
    let (kind, command) = match request.command {
        Ok(Command::Auth(offered)) => (request.kind, Ok(Command::Auth(offered))),
        // What else a stranger says is not judged.
        _ => (None, Err(ApiError::unauthorized("the first command must be Auth, with the API token"))),
    };
    match carry_out(connection, kind, command).await {
        Ok(Outcome::Data(data)) => {
            send_queue.send(&success(&request.id, data));
            true
        }
        // `Auth` leads to nothing more.
        Ok(Outcome::Follow { .. } | Outcome::Await(..)) => true,
        Err(error) => {
            send_queue.send(&failure(&request.id, &error));
            false
        }
    }
}

/// Runs one command and sends its result. `place` is given back once the command itself is done.
pub(super) async fn run(
    connection: Connection,
    request: Request,
    send_queue: SendQueue,
    place: OwnedSemaphorePermit,
) {
    let outcome = carry_out(&connection, request.kind, request.command).await;
    drop(place);
    match outcome {
        Ok(Outcome::Data(data)) => send_queue.send(&success(&request.id, data)),
        Ok(Outcome::Follow { data, stream, follower, room, told }) => {
            send_queue.send(&success(&request.id, data));
            let unsubscribed = CancellationToken::new();
            if let Some(former) = connection.subscriptions.insert(stream, unsubscribed.clone()) {
                former.cancel();
            }
            tokio::select! {
                () = follow(stream, *follower, told, &send_queue) => {
                    connection.subscriptions.remove(&stream);
                    if told == Told::Everything {
                        send_queue.send(&json!({ "type": "ended", "id": stream.to_string() }));
                    }
                }
                () = unsubscribed.cancelled() => {}
            }
            drop(room);
        }
        Ok(Outcome::Await(follower, room)) => {
            send_queue.send(&answer_of(&request.id, *follower).await);
            drop(room);
        }
        Err(error) => send_queue.send(&failure(&request.id, &error)),
    }
}

/// Runs commands that only compute, one after the other; their answers go out with one flush.
pub(super) async fn run_together(
    connection: Connection,
    requests: Vec<(Request, Span)>,
    send_queue: SendQueue,
    _places: OwnedSemaphorePermit,
) {
    let mut answers = Vec::with_capacity(requests.len());
    for (Request { id, kind, command }, span) in requests {
        match carry_out(&connection, kind, command).instrument(span).await {
            Ok(Outcome::Data(data)) => answers.push(text(&success(&id, data))),
            // Those that only compute lead to nothing more.
            Ok(Outcome::Follow { .. } | Outcome::Await(..)) => {}
            Err(error) => answers.push(text(&failure(&id, &error))),
        }
    }
    answers.into_iter().for_each(|answer| send_queue.send_text(answer));
}

/// The right comes before the parameters, as on the routes: nobody learns how to ask for what they may not.
async fn carry_out(
    connection: &Connection,
    kind: Option<&Kind>,
    command: Result<Command, ApiError>,
) -> Result<Outcome, ApiError> {
    let outcome = match connection.require(kind.and_then(|kind| kind.needs)).and(command) {
        Ok(command) => execute_and_log(connection, kind, command).await,
        Err(error) => Err(error),
    };
    connection.note(kind.map_or("other", |kind| kind.name), outcome.as_ref().err());
    outcome
}

/// Logs a command that changes something, as the guard does for the routes.
async fn execute_and_log(
    connection: &Connection,
    kind: Option<&Kind>,
    command: Command,
) -> Result<Outcome, ApiError> {
    let Some(Kind { name, effect: Effect::Changes(_), .. }) = kind else {
        return execute(connection, command).await;
    };
    let change = connection.change(name)?;
    let outcome = execute(connection, command).await;
    match &outcome {
        Ok(_) => change.answered(StatusCode::OK, None),
        Err(error) => change.answered(error.status, Some(error.code)),
    }
    outcome
}

async fn execute(connection: &Connection, command: Command) -> Result<Outcome, ApiError> {
    let data = match command {
        Command::Auth(offered) => auth(connection, &offered)?,
        Command::NewKeyHandshakeUrl(new) => return new_handshake(connection, new).await,
        Command::AuthenticateKey(who) => {
            let room = may_follow(connection)?;
            let stream = authenticate_user(&connection.api, &who).await?;
            return Ok(Outcome::Await(followed(connection, stream, 0).await?, room));
        }
        Command::IssueJwt(new) => {
            return Ok(Outcome::Data(Data::issued(issue_token(
                &connection.api,
                &new,
                &connection.actor()?,
            )?)));
        }
        Command::VerifyJwt(question) => {
            return Ok(Outcome::Data(Data::verified(verify_token(&connection.api, &question).await?)));
        }
        Command::FetchProfile(whose) => {
            let key = public_key("main_key", &whose.main_key)?;
            json!({ "type": "profile", "profile": connection.api.directory.profile(&key).await })
        }
        Command::FetchNip05Profile(whose) => {
            let profile = connection.api.directory.nip05(&whose.nip05).await?;
            json!({ "type": "fetch_nip05_profile", "profile": profile })
        }
        Command::SetProfile(new) => {
            if !connection.api.profile.set(new.profile(), connection.actor()?).await? {
                let message = "no relay accepted the profile";
                return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_relay", message));
            }
            json!({ "type": "auth_success", "message": "profile published" })
        }
        Command::AddRelay(which) => {
            let relay = connection.api.roster.add(&which.relay, connection.actor()?).await?;
            json!({ "type": "add_relay", "relay": relay.to_string() })
        }
        Command::RemoveRelay(which) => {
            let relay = connection.api.roster.remove(&which.relay, connection.actor()?).await?;
            json!({ "type": "remove_relay", "relay": relay.to_string() })
        }
        Command::ListenClosedRecurringPayment => {
            json!({ "type": "listen_closed_recurring_payment", "stream_id": recurring::STREAM })
        }
        // Nothing ever happens there.
        Command::Subscribe(which) if which.stream_id == recurring::STREAM => {
            json!({ "type": "subscribe", "stream_id": which.stream_id })
        }
        Command::Unsubscribe(which) if which.stream_id == recurring::STREAM => {
            json!({ "type": "unsubscribe", "stream_id": which.stream_id })
        }
        Command::Subscribe(which) => return subscribe(connection, &which).await,
        Command::Unsubscribe(which) => {
            let (_, subscription) =
                connection.subscriptions.remove(&which.stream()?).ok_or_else(ApiError::no_such_stream)?;
            subscription.cancel();
            json!({ "type": "unsubscribe", "stream_id": which.stream_id })
        }
    };
    Ok(Outcome::Data(Data::Other(data)))
}

async fn new_handshake(connection: &Connection, new: NewHandshake) -> Result<Outcome, ApiError> {
    connection.api.may_open()?;
    let room = may_follow(connection)?;
    let no_request = new.no_request.unwrap_or(false);
    let opened = connection.api.portal.new_handshake(new.static_token, no_request).await?;
    let stream = opened.stream;
    let data = json!({ "type": "key_handshake_url", "url": opened.url, "stream_id": stream.to_string() });
    let follower = followed(connection, stream, 0).await?;
    Ok(Outcome::Follow { data, stream, follower, room, told: Told::Scans })
}

async fn subscribe(connection: &Connection, which: &Subscription) -> Result<Outcome, ApiError> {
    let stream = which.stream()?;
    let room = may_follow(connection)?;
    let follower = followed(connection, stream, which.after).await?;
    let data = json!({ "type": "subscribe", "stream_id": which.stream_id });
    Ok(Outcome::Follow { data, stream, follower, room, told: Told::Everything })
}

fn auth(connection: &Connection, offered: &Token) -> Result<Value, ApiError> {
    connection.authenticate(&offered.token)?;
    Ok(json!({ "type": "auth_success", "message": "authenticated" }))
}

fn may_follow(connection: &Connection) -> Result<Following, ApiError> {
    connection.api.room.follow(Some(&connection.followed))
}

async fn followed(connection: &Connection, stream: StreamId, after: u64) -> Result<Box<Follower>, ApiError> {
    let follower = connection.api.events.follow(stream, after).await?;
    follower.map(Box::new).ok_or_else(ApiError::no_such_stream)
}

/// Sends the events of a stream as notifications.
async fn follow(stream: StreamId, mut follower: Follower, told: Told, send_queue: &SendQueue) {
    loop {
        match follower.next().await {
            Ok(Some(event)) => {
                if told == Told::Everything || matches!(event.body, EventBody::KeyHandshake { .. }) {
                    send_queue.send(&notification(stream, &event));
                }
            }
            Ok(None) => return,
            Err(_) if told == Told::Scans => return,
            Err(error) => {
                let error = ApiError::from(error);
                let data = json!({ "type": "error", "reason": error.message, "code": error.code });
                return send_queue
                    .send(&json!({ "type": "notification", "id": stream.to_string(), "data": data }));
            }
        }
    }
}

/// The outcome of a challenge, as the answer to the command that opened it.
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
                return json!(success(id, json!({ "type": "auth_response", "event": event })));
            }
            Ok(Some(_)) => {}
            Ok(None) => return json!(failure(id, &ApiError::no_such_stream())),
            Err(error) => return json!(failure(id, &error.into())),
        }
    }
}
