//! `portico serve`: the daemon.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CommandResult, Exit, Failure, logging};
use crate::app::{self, StartError};
use crate::clock::SystemClock;
use crate::config::{self, Overrides};

#[derive(Debug, clap::Args)]
#[command(after_help = "Every flag can also be given as PORTICO_… in the environment and in portico.toml; \
                        the flag goes first, then the environment, then the file. Keys without a flag are \
                        read from the environment as PORTICO_SECTION__KEY.\n\nSIGTERM and SIGINT drain: \
                        what was begun is ended, what is open stays open. A second one aborts.")]
pub(super) struct Args {
    #[command(flatten)]
    overrides: Overrides,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let config = config::load(&args.overrides).map_err(Failure::usage)?;
    logging::start(&config.log)?;
    let mut stop = StopSignals::new()?;
    let daemon = app::start(&config, Arc::new(SystemClock))
        .await
        .map_err(|error| Failure::new(exit_of(&error), error))?;
    tokio::select! {
        name = stop.next() => tracing::info!(signal = name, "stopping"),
        () = daemon.failed() => {}
    }
    let clean = daemon
        .stop(async move {
            stop.next().await;
        })
        .await;
    Ok(if clean { Exit::Success } else { Exit::Failed })
}

/// Secrets that are not as the configuration says are a fault of the configuration.
fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::Key(_)
        | StartError::Proof { .. }
        | StartError::Token { .. }
        | StartError::OtherService { .. } => Exit::Usage,
        _ => Exit::Unavailable,
    }
}

/// SIGTERM, SIGINT, and SIGHUP of a terminal that is closed.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl StopSignals {
    pub(super) fn new() -> Result<Self, Failure> {
        let failed = |error| Failure::new(Exit::Failed, error);
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            hangup: signal(SignalKind::hangup()).map_err(failed)?,
        })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}
