//! `portico demo`: one whole login on embedded defaults, then a daemon to try things on.

mod screen;
mod text;

use tokio::io::{AsyncBufReadExt, BufReader};

use super::serve::StopSignals;
use super::{CommandResult, Exit, Failure, logging};
use crate::config::{Log, LogFormat};
use crate::demo::wallet::{Wallet, WalletError};
use crate::demo::{Stage, Told, tell};
use crate::protocol::{HandshakeUrl, UrlError};
use screen::Screen;

/// Warnings alone. The embedded relay calls every connection that goes an error.
const QUIET: &str = "warn,nostr_relay_builder=off";

/// What the daemon does, too.
const VERBOSE: &str = "warn,portico=info,nostr_relay_builder=off";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Starts a relay, the daemon and a simulated wallet on a temporary folder, logs the wallet in \
                        and shows every step; then it stays up, for you to try things on. Paste a portal:// \
                        URL into it, and the wallet scans that. Nothing is left behind when it ends."
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
        () = scan_pasted(stage.wallet(), screen) => Exit::Success,
        () = show_challenges(stage.wallet(), screen) => Exit::Success,
    }
}

/// Scans every URL that is pasted, for a person without a phone. Goes on when there is no more input.
async fn scan_pasted(wallet: &Wallet, screen: &Screen) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = line.trim();
        if !line.is_empty() {
            screen.scanned(scan(wallet, line).await);
        }
    }
    std::future::pending().await
}

async fn scan(wallet: &Wallet, url: &str) -> Result<(), ScanError> {
    Ok(wallet.scan(&url.parse::<HandshakeUrl>()?).await?)
}

/// Why the wallet did not scan what was pasted.
#[derive(Debug, thiserror::Error)]
enum ScanError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

async fn show_challenges(wallet: &Wallet, screen: &Screen) {
    loop {
        let seen = wallet.next_challenge().await;
        screen.asked(&seen);
    }
}
