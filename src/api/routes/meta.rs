//! The daemon itself: health, version, metrics.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, GIT_COMMIT, VERSION};
use crate::http::body::QueryParam;
use crate::http::envelope::{ApiError, ok, ok_and_beside};
use crate::metrics::{CONTENT_TYPE, Reading};

pub(in crate::api) async fn health() -> &'static str {
    "OK"
}

/// Whether logins work: a relay is subscribed, and the store can be read and written.
pub(in crate::api) async fn ready(State(api): State<Api>) -> Result<Response, ApiError> {
    let relays_ready = api.roster.readiness().await?;
    Ok(ok(json!({ "ready": true, "relays_ready": relays_ready, "profile": api.profile.standing() })))
}

pub(in crate::api) async fn version() -> Response {
    ok_and_beside(json!({ "version": VERSION, "git_commit": GIT_COMMIT }))
}

pub(in crate::api) async fn info(State(api): State<Api>) -> Response {
    let public_key = api.portal.public_key();
    ok(json!({ "public_key": public_key, "version": VERSION, "git_commit": GIT_COMMIT }))
}

/// The metrics, for Prometheus.
pub(in crate::api) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let reading = api.reading().await;
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], api.metrics.exposition(reading))
}

impl Api {
    /// The metrics that are read on request.
    pub(in crate::api) async fn reading(&self) -> Reading {
        let mut reading = Reading::default();
        if let Some(sessions) = &self.sessions {
            sessions.read_into(&mut reading).await;
        }
        let build = [("version", VERSION), ("git_commit", GIT_COMMIT)];
        reading.gauge("portico_build_info", "This program; the value is 1.", &build, 1.0);
        self.portal.read_into(&mut reading).await;
        self.roster.read_into(&mut reading);
        self.tokens.portal().read_into(&mut reading);
        self.webhooks.read_into(&mut reading);
        self.room.read_into(&mut reading);
        if let Some(page) = &self.page {
            page.read_into(&mut reading);
        }
        reading
    }
}

#[derive(Deserialize)]
pub(in crate::api) struct Name {
    name: Option<String>,
}

/// NIP-05 defines this answer: no envelope.
pub(in crate::api) async fn nostr_json(
    State(api): State<Api>,
    QueryParam(Name { name }): QueryParam<Name>,
) -> Json<Value> {
    Json(api.directory.nip05_document(name.as_deref()))
}

/// The same at the path where the reference daemon has it, in the form that its clients read.
pub(in crate::api) async fn enveloped_nostr_json(
    State(api): State<Api>,
    QueryParam(Name { name }): QueryParam<Name>,
) -> Response {
    ok_and_beside(api.directory.nip05_document(name.as_deref()))
}
