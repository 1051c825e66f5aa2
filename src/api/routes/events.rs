//! Streams of events: read them, wait for them (long poll), or follow them (Server-Sent Events).

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::recurring;
use crate::api::Api;
use crate::api::caller::Caller;
use crate::events::{Event, EventPage, Follower};
use crate::http::accept;
use crate::http::body::{PathParam, QueryParam, unless_empty};
use crate::http::envelope::{ApiError, ok};
use crate::http::room::Following;
use crate::lifecycle::Lifecycle;
use crate::portal::StreamId;

/// The longest wait of a long poll; a caller that wants to wait longer asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The answer depends on what the caller accepts.
const BY_ACCEPT: [(HeaderName, &str); 1] = [(header::VARY, "accept")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Position {
    /// Only events after this index.
    #[serde(default, deserialize_with = "unless_empty")]
    after: Option<u64>,
    /// Seconds to wait for an event if there is none yet.
    #[serde(default, deserialize_with = "unless_empty")]
    wait: Option<u64>,
}

/// The answer to a read.
#[derive(Serialize)]
struct EventsRead<'a> {
    stream_id: StreamId,
    events: &'a [Event],
    ended: bool,
}

pub(in crate::api) async fn read(
    State(api): State<Api>,
    caller: Caller,
    PathParam(stream): PathParam<String>,
    QueryParam(Position { after, wait }): QueryParam<Position>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if stream == recurring::STREAM {
        return Ok(recurring::read(accept::prefers_events(&headers)));
    }
    let stream: StreamId = stream.parse().map_err(|_| ApiError::no_such_stream())?;
    if accept::prefers_events(&headers) {
        // A browser that reconnects says where it was.
        let after = last_event_id(&headers)?.or(after).unwrap_or(0);
        let room = api.room.follow(None)?;
        let follower = follower(&api, stream, after).await?;
        if follower.is_over() {
            // Which tells it not to do so again (WHATWG HTML, Server-sent events).
            return Ok((StatusCode::NO_CONTENT, BY_ACCEPT).into_response());
        }
        return Ok(follow(follower, room, (api.lifecycle.clone(), caller)));
    }
    let is_bare = after.is_none() && wait.is_none();
    let after = after.unwrap_or(0);
    let wait = wait.map_or(Duration::ZERO, Duration::from_secs).min(LONGEST_WAIT);
    let page = if wait.is_zero() {
        api.events.read(stream, after).await?.ok_or_else(ApiError::no_such_stream)?
    } else {
        wait_for_page(&api, &caller, (stream, after), wait).await?
    };
    match page.unscanned() {
        // The SDKs of the reference daemon poll in this way until there is an event, and take the first event of any
        // type for a scan. An error status ends their polling with an error.
        Some((code, reason)) if is_bare => {
            let message = format!("the handshake ended before anybody scanned its URL: {reason}");
            let error = ApiError::new(StatusCode::GONE, code.as_str(), message);
            Ok((BY_ACCEPT, error).into_response())
        }
        _ => {
            let read = EventsRead { stream_id: stream, events: &page.events, ended: page.ended };
            Ok((BY_ACCEPT, ok(read)).into_response())
        }
    }
}

async fn follower(api: &Api, stream: StreamId, after: u64) -> Result<Follower, ApiError> {
    api.events.follow(stream, after).await?.ok_or_else(ApiError::no_such_stream)
}

/// The events that are there, or the first ones that come in time. The store is read once; later events come from
/// memory.
async fn wait_for_page(
    api: &Api,
    caller: &Caller,
    (stream, after): (StreamId, u64),
    wait: Duration,
) -> Result<EventPage, ApiError> {
    let _room = api.room.follow(None)?;
    let mut follower = follower(api, stream, after).await?;
    let page = follower.ready();
    if !page.events.is_empty() || page.ended {
        return Ok(page);
    }
    tokio::select! {
        next = follower.next_page() => Ok(next?),
        () = tokio::time::sleep(wait) => Ok(page),
        () = api.lifecycle.stopping() => Ok(page),
        () = caller.over() => Err(ApiError::token_over()),
    }
}

/// Sends each event as it happens, with its index as its id, until the stream ends, the client leaves, its token
/// expires or is revoked, or the daemon stops.
fn follow(follower: Follower, room: Following, ends: (Lifecycle, Caller)) -> Response {
    let following = (follower, room, ends);
    let events = futures_util::stream::unfold(following, |(mut follower, room, (lifecycle, caller))| async {
        let event = tokio::select! {
            biased;
            () = caller.over() => return None,
            event = follower.next() => event.ok().flatten()?,
            () = lifecycle.stopping() => return None,
        };
        let message = sse::Event::default().id(event.index.to_string()).json_data(&event).ok()?;
        Some((Ok::<_, Infallible>(message), (follower, room, (lifecycle, caller))))
    });
    // nginx would hold events back until a buffer is full.
    let unbuffered = [("x-accel-buffering", "no"), ("cache-control", "no-store")];
    (BY_ACCEPT, unbuffered, Sse::new(events).keep_alive(KeepAlive::default())).into_response()
}

/// The position of a client that reconnects. A browser sends an empty id before its first event (WHATWG HTML).
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let lines = headers.get_all("last-event-id").iter().map(|id| id.as_bytes().trim_ascii());
    let mut ids = lines.filter(|id| !id.is_empty());
    let Some(id) = ids.next() else { return Ok(None) };
    let index = str::from_utf8(id).ok().filter(|_| ids.next().is_none()).and_then(|id| id.parse().ok());
    index.map(Some).ok_or_else(|| ApiError::bad_request("Last-Event-ID: must be the index of an event"))
}
