//! `portico serve`: the daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::stop::StopSignals;
use super::{CommandResult, Exit, Failure, logging, moved};
use crate::app::{self, FolderError, StartError};
use crate::clock::SystemClock;
use crate::config::files::show_path;
use crate::config::{
    self, Config, ConfigError, Overrides, ProfileRules, RelayEntry, RelaySource, WrittenKeys,
};
use crate::http::{HandedOver, ListenError};
use crate::store::KeysError;

#[derive(Debug, clap::Args)]
#[command(after_help = "Every flag can also be set as PORTICO_… in the environment or in portico.toml. \
                        Precedence: flag, environment variable, portico.toml, default. Keys without a flag \
                        have the environment variable PORTICO_SECTION__KEY.\n\nSIGTERM and SIGINT stop the daemon: \
                        it finishes what it began; open requests stay open in the database. \
                        A second signal, at least half a second later, aborts. SIGHUP reads \
                        relays.toml and [profile] again.\n\nUnder systemd or a compatible service manager, the daemon \
                        reports readiness, status, reloads and watchdog pings (NOTIFY_SOCKET, WATCHDOG_USEC), and \
                        accepts a Unix and a TCP socket (LISTEN_FDS).")]
pub(super) struct Args {
    #[command(flatten)]
    overrides: Overrides,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let config = config::load(&args.overrides).map_err(Failure::usage)?;
    // Read before the start, which takes a while: a change in the meantime does not take effect before a restart.
    let written = || config.file.as_deref().and_then(WrittenKeys::read);
    let at_start = written();
    logging::start(&config.log)?;
    for variable in config::unused_variables() {
        tracing::warn!(variable, "{}", config::UNUSED);
    }
    tell_where_from(&config);
    moved::tell(&config);
    let mut stop = StopSignals::new()?;
    survive_file_size_limit()?;
    let mut hangup = listen_for(SignalKind::hangup())?;
    let handed = HandedOver::from_env().map_err(|error| Failure::new(Exit::Unavailable, error))?;
    let daemon = app::start(&config, handed, Arc::new(SystemClock))
        .await
        .map_err(|error| Failure::new(exit_of(&error), error))?;
    let mut source = config.relay_source.clone();
    loop {
        let reload = async {
            hangup.recv().await;
            let read = read_again(&args.overrides, &mut source);
            let is_right = read.is_ok();
            daemon.reload(read).await;
            if is_right && let (Some(before), Some(now)) = (&at_start, written()) {
                warn_of_changes(&now.changed_since(before));
            }
        };
        tokio::select! {
            name = stop.next() => break tracing::info!(signal = name, "stopping"),
            () = daemon.failed() => break,
            () = reload => {}
        }
    }
    let clean = daemon
        .stop(async move {
            stop.next().await;
        })
        .await;
    Ok(if clean { Exit::Success } else { Exit::Failed })
}

/// The relays and `[profile]` as they are now. A mistake anywhere in the configuration is an error, in parts too that
/// take effect only at the next start: the operator learns of it now, and not when the daemon does not start.
fn read_again(
    overrides: &Overrides,
    source: &mut RelaySource,
) -> Result<(Vec<RelayEntry>, ProfileRules), ConfigError> {
    let (listed, from) = source.reload()?;
    let profile = config::load(overrides)?.profile;
    *source = from;
    Ok((listed, profile))
}

/// Logs the keys that changed in the file and that a reload does not apply.
fn warn_of_changes(keys: &[&str]) {
    if !keys.is_empty() {
        tracing::warn!(keys = keys.join(" "), "these keys were changed; they take effect at the next start");
    }
}

/// Logs the files in use, and warns of those that were found in the working folder: the operator may not mean them.
fn tell_where_from(config: &Config) {
    match &config.file {
        Some(file) => tracing::info!(file = show_path(&absolute(file)), "configuration"),
        None => tracing::info!("no configuration file: using defaults, flags and environment variables"),
    }
    for file in &config.found_here {
        tracing::warn!(
            file = show_path(&absolute(file)),
            "using this file, which was found in the working folder"
        );
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether an error is a fault of the configuration, which a restart does not fix (exit code 64). Every new kind of
/// error must be put on one of the two sides.
fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::Key(_)
        | StartError::Proof { .. }
        | StartError::Token(_)
        | StartError::WebhookSecret(_)
        | StartError::ApiKey(_)
        | StartError::AdminKey(_)
        | StartError::StorePassword(_)
        | StartError::AccessKeys(KeysError::Refused(_))
        | StartError::Folder(FolderError::Unsafe { .. })
        | StartError::Listen(
            ListenError::UnsafeFolder { .. } | ListenError::NotASocket(_) | ListenError::Remote(_),
        )
        | StartError::OtherService { .. } => Exit::Usage,
        StartError::AccessKeys(KeysError::Unavailable(_))
        | StartError::Folder(FolderError::Io { .. } | FolderError::InUse(_))
        | StartError::Listen(
            ListenError::InUse { .. } | ListenError::HandedOver { .. } | ListenError::Io { .. },
        )
        | StartError::Store(_) => Exit::Unavailable,
    }
}

/// A file that reaches its size limit (`ulimit -f`, `LimitFSIZE=`) is treated like a full disk: the write fails, which
/// the daemon survives. The default action of the signal would end the process.
fn survive_file_size_limit() -> Result<(), Failure> {
    // A handler is installed, though nothing waits for it: that is enough, and it stays installed.
    listen_for(SignalKind::from_raw(nix::libc::SIGXFSZ)).map(drop)
}

/// Handles a signal from now on, so that it does not end the process.
pub(super) fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(Exit::Failed, error))
}
