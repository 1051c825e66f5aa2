//! `portico demo`: one whole login on embedded defaults, then a daemon to try things on.

mod order;
mod play;
mod screen;
mod text;

use super::stop::StopSignals;
use super::{CommandResult, Exit, Failure, logging};
use crate::config::{Log, LogFormat};
use crate::demo::{Stage, Told, tell};
use screen::Screen;

/// Warnings alone. The embedded relay calls every connection that goes an error, and a service without a profile is
/// all that this one is.
const QUIET: &str = "warn,nostr_relay_builder=off,portico::profile=error";

/// What the daemon does, too.
const VERBOSE: &str = "warn,portico=info,nostr_relay_builder=off";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Starts a relay, the daemon and a simulated wallet on a temporary folder, logs the wallet in \
                        and shows every step; then it stays up, for you to try things on. Paste a portal:// \
                        URL into it, and the wallet scans that; `no URL` declines, `slow URL` hesitates, \
                        `ignore URL` lets the request expire, `as bob URL` is another user. Nothing is left behind when it ends."
)]
pub(super) struct Args {
    /// End after the story: 0 if every step held, else 1
    #[arg(long)]
    once: bool,
    /// Print one JSON object a step
    #[arg(long)]
    json: bool,
    /// Show the daemon's log, not only its warnings
    #[arg(long, short, conflicts_with = "log")]
    verbose: bool,
    /// Show the daemon's log from this level on, or by a tracing filter
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

/// Leaves everything up until a signal comes.
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
