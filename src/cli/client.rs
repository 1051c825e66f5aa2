//! Commands that call the running daemon: where it is, and the exit code for each of its answers.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::StatusCode;
use nix::unistd::{Uid, User};
use serde_json::Value;

use super::terminal::note;
use super::{Exit, Failure};
use crate::client::{CallError, Client, ClientAnswer, EventStream};
use crate::config::files::{self, FileError, Owners};
use crate::config::{self, Overrides};

/// How often a command tries to reach a daemon that closed the connection, and how long to wait each time.
const RETRIES: usize = 60;
const RETRY: Duration = Duration::from_millis(500);

/// Where the daemon is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// The daemon's Unix socket [default: where `portico serve` puts it]
    #[arg(long, value_name = "PATH", env = "PORTICO_SOCKET")]
    socket: Option<PathBuf>,
    /// User that the daemon runs as, by name or uid [default: root, you, or the owner of the socket's folder if
    /// only root could give them that place]
    #[arg(long, value_name = "USER", env = "PORTICO_SOCKET_OWNER")]
    socket_owner: Option<String>,
    /// Configuration file that names the socket
    #[arg(long, value_name = "FILE", env = "PORTICO_CONFIG")]
    config: Option<PathBuf>,
}

impl Target {
    /// Sends GET; returns `data`, or the daemon's error.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        data(self.answer(async |client| client.get(path).await).await?)
    }

    /// Sends GET; returns the whole answer, success or error.
    pub(super) async fn ask(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.answer(async |client| client.get(path).await).await?.body)
    }

    /// Sends GET for something that has revisions; returns `data` and the revision.
    pub(super) async fn get_revision(&self, path: &str) -> Result<(Value, Option<String>), Failure> {
        let mut answer = self.answer(async |client| client.get(path).await).await?;
        let revision = answer.etag.take();
        Ok((data(answer)?, revision))
    }

    /// Sends one request; returns `data`, or the daemon's error.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        data(self.answer(async |client| client.post(path, body).await).await?)
    }

    /// Changes something, or only this revision of it; returns `data`, or the daemon's error. `None`: somebody
    /// changed it meanwhile.
    pub(super) async fn patch(
        &self,
        path: &str,
        body: &Value,
        revision: Option<&str>,
    ) -> Result<Option<Value>, Failure> {
        let answer = self.answer(async |client| client.patch(path, body, revision).await).await?;
        if answer.status == StatusCode::PRECONDITION_FAILED { Ok(None) } else { data(answer).map(Some) }
    }

    /// Deletes something; returns `data`, or the daemon's error.
    pub(super) async fn delete(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        data(self.answer(async |client| client.delete(path, body).await).await?)
    }

    async fn answer(
        &self,
        ask: impl AsyncFnOnce(Client) -> Result<ClientAnswer, CallError>,
    ) -> Result<ClientAnswer, Failure> {
        let socket = self.path()?;
        let client = Client::new(&socket, self.servers(&socket)?);
        ask(client).await.map_err(|error| broken(&socket, &error))
    }

    /// Follows a stream from the event after index `after`.
    pub(super) async fn follow(&self, stream: &str, after: u64) -> Result<Stream, Failure> {
        let socket = self.path()?;
        let client = Client::new(&socket, self.servers(&socket)?);
        let events = client.follow(stream, after).await.map_err(|error| broken(&socket, &error))?;
        Ok(Stream { client, socket, id: stream.to_owned(), cursor: after, events })
    }

    /// The users that may run the daemon at this socket.
    fn servers(&self, socket: &Path) -> Result<Vec<u32>, Failure> {
        let us = Owners::ours();
        let Some(named) = &self.socket_owner else {
            // If others could have changed the path to it, we trust only root and ourselves.
            return Ok(files::owners_of(socket).unwrap_or(us).uids());
        };
        let by_name = || User::from_name(named).ok().flatten().map(|user| user.uid.as_raw());
        let uid = named.parse().ok().or_else(by_name);
        let uid = uid.ok_or_else(|| Failure::usage(format!("--socket-owner: unknown user {named:?}")))?;
        Ok(us.uids().into_iter().chain([uid]).collect())
    }

    /// Where its socket is.
    pub(super) fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.socket {
            config::check_path("--socket or PORTICO_SOCKET", path).map_err(Failure::usage)?;
            return Ok(path.clone());
        }
        let overrides = Overrides { config: self.config.clone(), ..Overrides::default() };
        let socket = config::load(&overrides).map_err(Failure::usage)?.local.socket;
        if socket == config::default_socket() {
            check_default(&socket)?;
        }
        Ok(socket)
    }
}

/// Refuses the default socket if its folder could be another user's: below `/tmp`, anybody could have made the
/// folder first.
fn check_default(socket: &Path) -> Result<(), Failure> {
    match socket.parent().map(files::check_place) {
        Some(Err(FileError::Io(_))) | None => Ok(()), // Connecting will report what is wrong.
        Some(checked) => checked.map_err(|error| {
            Failure::usage(format!(
                "cannot trust the socket {}: its folder: {error}",
                files::show_path(socket)
            ))
        }),
    }
}

/// The events of a stream, through restarts of the daemon.
pub(super) struct Stream {
    client: Client,
    socket: PathBuf,
    id: String,
    /// Index of the last event that was seen.
    cursor: u64,
    events: EventStream,
}

impl Stream {
    /// The next event; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Failure> {
        loop {
            match self.events.next().await {
                Ok(event) => {
                    let index = event.as_ref().and_then(|event| event["index"].as_u64());
                    self.cursor = index.unwrap_or(self.cursor);
                    return Ok(event);
                }
                Err(error @ CallError::Refused(_)) => return Err(broken(&self.socket, &error)),
                Err(error) => self.resume(error).await?,
            }
        }
    }

    /// The stream outlives the daemon: waits until the daemon is back, and continues at the same event.
    async fn resume(&mut self, mut error: CallError) -> Result<(), Failure> {
        note!("Lost the connection to the daemon ({error}). Waiting for it …");
        for _ in 0..RETRIES {
            tokio::time::sleep(RETRY).await;
            match self.client.follow(&self.id, self.cursor).await {
                Ok(events) => {
                    self.events = events;
                    return Ok(());
                }
                Err(again) => error = again,
            }
        }
        let Failure { exit, message } = broken(&self.socket, &error);
        Err(Failure::new(
            exit,
            format!("{message}; continue with: portico watch {} --after {}", self.id, self.cursor),
        ))
    }
}

/// The `data` of a successful answer.
fn data(mut answer: ClientAnswer) -> Result<Value, Failure> {
    match answer.body["success"].as_bool() {
        Some(true) => Ok(answer.body["data"].take()),
        _ => Err(refusal(&answer.body)),
    }
}

/// The exit code for an error of the daemon: `No` if the error answers the question.
fn refusal(answer: &Value) -> Failure {
    let code = answer["code"].as_str().unwrap_or_default();
    let message = format!(
        "{} ({code})",
        answer["error"].as_str().unwrap_or("the daemon sent an answer without an error text")
    );
    let exit = match code {
        "" | "internal" | "stopping" | "store_unavailable" | "limit_reached" | "timed_out" => {
            Exit::Unavailable
        }
        "bad_request" => Exit::Usage,
        "forbidden" | "missing_right" => Exit::Denied,
        "sessions_off" | "thirdweb_off" | "no_admin_key" => Exit::Off,
        _ => Exit::No,
    };
    Failure::new(exit, message)
}

fn broken(socket: &std::path::Path, error: &CallError) -> Failure {
    match error {
        CallError::Io(error) if error.kind() == ErrorKind::PermissionDenied => {
            let hint = format!(
                "this user may not connect to the daemon at {} (local.socket_mode)",
                files::show_path(socket)
            );
            Failure::new(Exit::Denied, hint)
        }
        CallError::Stranger { uid } => {
            let name = User::from_uid(Uid::from_raw(*uid)).ok().flatten();
            let name = name.map_or_else(String::new, |user| format!(" ({})", user.name));
            let hint = format!(
                "cannot trust the socket {}: uid {uid}{name} listens there, not you and not root. Nothing was sent. If \
                 your daemon runs as that user: --socket-owner {uid}, or PORTICO_SOCKET_OWNER={uid}",
                files::show_path(socket)
            );
            Failure::new(Exit::Unavailable, hint)
        }
        CallError::Io(error) => {
            let hint = format!(
                "no daemon answers at {}: {}. Start one with `portico serve`; or name its socket with --socket or \
                 PORTICO_SOCKET, or its configuration with --config or PORTICO_CONFIG",
                files::show_path(socket),
                files::io_reason(error)
            );
            Failure::new(Exit::Unavailable, hint)
        }
        CallError::Refused(reason) => Failure::new(Exit::No, reason),
        error => Failure::new(Exit::Unavailable, format!("lost the connection to the daemon: {error}")),
    }
}
