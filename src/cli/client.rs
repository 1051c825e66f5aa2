//! The running daemon, as commands meet it: where it is, and which exit code its answers mean.

use std::path::PathBuf;

use serde_json::Value;

use super::{Exit, Failure};
use crate::client::{CallError, Client, Events};
use crate::config::{self, Overrides};

/// Where the daemon is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// The daemon's Unix socket [default: where `portico serve` puts it]
    #[arg(long, value_name = "PATH", env = "PORTICO_SOCKET")]
    socket: Option<PathBuf>,
    /// Configuration file that names the socket
    #[arg(long, value_name = "FILE", env = "PORTICO_CONFIG")]
    config: Option<PathBuf>,
}

impl Target {
    /// Sends one request; returns `data`, or the daemon's error.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let socket = self.path()?;
        let mut answer =
            Client::new(&socket).post(path, body).await.map_err(|error| broken(&socket, &error))?.body;
        match answer["success"].as_bool() {
            Some(true) => Ok(answer["data"].take()),
            _ => Err(refusal(&answer)),
        }
    }

    /// Follows a stream.
    pub(super) async fn follow(&self, stream: &str, after: u64) -> Result<Stream, Failure> {
        let socket = self.path()?;
        let events =
            Client::new(&socket).follow(stream, after).await.map_err(|error| broken(&socket, &error))?;
        Ok(Stream { events, socket })
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        match &self.socket {
            Some(path) => Ok(path.clone()),
            None => {
                let overrides = Overrides { config: self.config.clone(), ..Overrides::default() };
                Ok(config::load(&overrides).map_err(Failure::usage)?.local.socket)
            }
        }
    }
}

/// The events of a stream.
pub(super) struct Stream {
    events: Events,
    socket: PathBuf,
}

impl Stream {
    /// The next event; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Failure> {
        self.events.next().await.map_err(|error| broken(&self.socket, &error))
    }
}

/// The daemon said no: `No` where that is the answer to the question, else `Unavailable`.
fn refusal(answer: &Value) -> Failure {
    let code = answer["code"].as_str().unwrap_or_default();
    let message = format!("{} ({code})", answer["error"].as_str().unwrap_or("the daemon sent nonsense"));
    let exit = match code {
        "" | "internal" | "stopping" | "store_unavailable" | "limit_reached" | "timed_out" => {
            Exit::Unavailable
        }
        "bad_request" | "forbidden" => Exit::Usage,
        _ => Exit::No,
    };
    Failure::new(exit, message)
}

fn broken(socket: &std::path::Path, error: &CallError) -> Failure {
    match error {
        CallError::Io(error) => {
            let hint = format!("no daemon at {}: {error} (start one with `portico serve`)", socket.display());
            Failure::new(Exit::Unavailable, hint)
        }
        CallError::Refused(reason) => Failure::new(Exit::No, reason),
        error => Failure::new(Exit::Unavailable, format!("the daemon broke off: {error}")),
    }
}
