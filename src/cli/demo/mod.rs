//! `portico demo`: one complete login with built-in defaults, then a daemon to try commands on.

mod order;
mod play;
mod screen;
mod text;

use super::stop::StopSignals;
use super::{CommandResult, Exit, Failure, logging};
use crate::config::{Log, LogFormat};
use crate::demo::{Stage, Told, tell};
use screen::Screen;

/// Warnings only. Without the embedded relay, which logs each closed connection as an error, and without the warning
/// that the service has no profile, which is true of every demo.
const QUIET: &str = "warn,nostr_relay_builder=off,portico::profile=error";

/// Also what the daemon does.
const VERBOSE: &str = "warn,portico=info,nostr_relay_builder=off";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Starts a relay, the daemon and a simulated wallet in a temporary folder, logs the wallet in \
                        and shows every step. Then it keeps running, so that you can try commands. Paste a portal:// \
                        URL, and the wallet scans it and approves; `no URL` declines, `slow URL` answers later, \
                        `ignore URL` lets the request expire, `as bob URL` is another user. \
                        The demo removes all its files when it ends."
)]
pub(super) struct Args {
    /// Exit after the last step: with 0 if every step succeeded, else with 1
    #[arg(long)]
    once: bool,
    /// Print one JSON object per step
    #[arg(long)]
    json: bool,
    /// Show the daemon's log, not only its warnings
    #[arg(long, short, conflicts_with = "log")]
    verbose: bool,
    /// Show the daemon's log from this level on, or with a tracing filter
    #[arg(long, value_name = "FILTER", env = "PORTICO_LOG", default_value = QUIET)]
    log: String,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let level = if args.verbose { VERBOSE.into() } else { args.log };
    logging::start(&Log { level, format: LogFormat::Text })?;
    let mut stop = StopSignals::new()?.or_hangup()?;
    let mut stage = Stage::new().map_err(|error| Failure::new(Exit::Unavailable, error))?;
    let mut screen = Screen::new(args.json);

    screen.title();
    let mut show = |step: &Told| screen.step(step);
    let told = tokio::select! {
        told = tell(&mut stage, &mut show) => Some(told),
        _ = stop.next() => None,
    };
    let exit = match told {
        Some(Ok(())) if args.once => {
            screen.end();
            Exit::Success
        }
        Some(Ok(())) => {
            screen.end();
            stay(&stage, &screen, &mut stop).await
        }
        Some(Err(error)) => {
            screen.failed(&error);
            Exit::No
        }
        None => Exit::No,
    };
    let impatient = async move {
        stop.next().await;
    };
    let clean = stage.strike(impatient).await;
    Ok(if clean { exit } else { Exit::Failed })
}

/// Keeps everything running until a signal comes.
async fn stay(stage: &Stage, screen: &Screen, stop: &mut StopSignals) -> Exit {
    screen.invite(stage);
    let failed = async {
        match stage.daemon() {
            Some(daemon) => daemon.failed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = stop.next() => Exit::Success,
        () = failed => Exit::Failed,
        () = play::play(stage.wallet(), screen) => Exit::Success,
    }
}
