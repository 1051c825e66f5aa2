//! The command line: one file a subcommand.
//!
//! Results go to standard output; the log and messages for people go to standard error. [`Exit`] lists the exit
//! codes.

mod audit;
mod backup;
mod client;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod identity;
mod info;
mod issue;
mod keygen;
mod keys;
mod list;
mod log_fields;
mod logging;
mod login;
mod migrate;
mod moved;
mod qr;
mod relays;
mod revoke;
mod serve;
mod sessions;
mod status;
mod stop;
mod store;
mod table;
mod terminal;
mod token;
mod tokens;
mod users;
mod verify;
mod watch;
mod webhooks;
mod who;

use std::env;
use std::ffi::OsStr;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::variable_not_utf8;

/// The exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Success = 0,
    /// The answer is no: a token that does not verify, a login that was declined or timed out, a daemon that is not
    /// ready.
    No = 1,
    /// The command line or the configuration is wrong (EX_USAGE).
    Usage = 64,
    /// The daemon, or something that it needs, is not available (EX_UNAVAILABLE).
    Unavailable = 69,
    /// A defect, or a part of the daemon failed (EX_SOFTWARE).
    Failed = 70,
    /// This user may not do that at the daemon (EX_NOPERM).
    Denied = 77,
    /// The part of the daemon that this needs is off (EX_CONFIG).
    Off = 78,
}

/// The reason why a command failed: the exit code, and a sentence for people.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    fn new(exit: Exit, message: impl ToString) -> Self {
        Self { exit, message: message.to_string() }
    }

    fn usage(message: impl ToString) -> Self {
        Self::new(Exit::Usage, message)
    }
}

type CommandResult = Result<Exit, Failure>;

/// Log people in with the wallet on their phone.
#[derive(Debug, Parser)]
#[command(name = "portico", version = VERSION, after_help = after_help(), max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   the answer is no: an invalid token, a login declined or timed out, a daemon not ready
  64  the command line or the configuration is wrong
  69  the daemon, or something that it needs, is not available
  70  a defect, or a part of the daemon failed
  77  this user may not do that at the daemon
  78  the part of the daemon that this needs is off";

fn after_help() -> String {
    let demo = "\n\nTry `portico demo` first: it needs no configuration and shows one complete login.";
    format!("{EXIT_CODES}{}", if cfg!(feature = "demo") { demo } else { "" })
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve(serve::Args),
    /// Show one complete login with an embedded relay and a simulated wallet; needs no configuration
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Log a user in at the running daemon: show a QR code, wait, print the verified claims
    Login(login::Args),
    /// Issue a token at the running daemon
    Issue(issue::Args),
    /// Verify a token, at the running daemon or offline
    Verify(verify::Args),
    /// Revoke a token at the running daemon, whatever its format
    Revoke(revoke::Args),
    /// Show whether the daemon runs and is ready, and the state of its parts
    Status(status::Args),
    /// Show the service's key, version and socket
    Info(info::Args),
    /// Make a service key, or a subkey with its proof
    Keygen(keygen::Args),
    /// Follow a stream of events at the running daemon
    Watch(watch::Args),
    /// List, add, remove or check relays
    #[command(subcommand)]
    Relays(relays::Command),
    /// Check the name that wallets show for the service, or publish its profile
    #[command(subcommand)]
    Identity(identity::Command),
    /// List, retry or drop webhook deliveries that the receiver has not accepted
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// Manage users, their roles and permissions
    #[command(subcommand)]
    Users(users::Command),
    /// List or end the sessions of a user
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Show the audit: who did what, and when
    Audit(audit::Args),
    /// Manage API tokens: who may call over TCP, and what they may do
    #[command(subcommand)]
    Tokens(tokens::Command),
    /// List or rotate the keys that sign access tokens
    #[command(subcommand)]
    Keys(keys::Command),
    /// Write a backup of the database to a new file, while the daemon runs
    Backup(backup::Backup),
    /// Restore a backup; the daemon must be stopped
    Restore(backup::Restore),
    /// Move the state of the daemon to another store
    #[command(subcommand)]
    Store(store::Command),
    /// Convert the configuration of Portal's daemon to Portico's
    MigrateFromPortal(migrate::Args),
    /// Check the configuration
    #[command(subcommand)]
    Config(config::Command),
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("PORTICO_GIT_COMMIT"), ")");

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            if let (ErrorKind::InvalidUtf8, Some(variable)) = (error.kind(), variable_not_utf8()) {
                terminal::note!("portico: {variable}: the value must be UTF-8");
                return ExitCode::from(Exit::Usage as u8);
            }
            return ExitCode::from(explain(&error) as u8);
        }
    };
    let exit = run(cli.command).unwrap_or_else(|failure| {
        terminal::note!("portico: {}", failure.message);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// Prints the help, the version, or what is wrong with the command line.
fn explain(error: &clap::Error) -> Exit {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    match printed {
        _ if error.use_stderr() => Exit::Usage,
        // A reader that closes the pipe early has seen enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            terminal::note!("portico: standard output: {error}");
            Exit::Failed
        }
        _ => Exit::Success,
    }
}

fn parse() -> Result<Cli, clap::Error> {
    let matches = without_empty_variables(Cli::command()).try_get_matches()?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut Cli::command()))
}

/// An empty variable counts as not set: compose files pass unset variables on as empty ones (`${X:-}`).
fn without_empty_variables(mut command: clap::Command) -> clap::Command {
    let below: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    for name in below {
        command = command.mut_subcommand(name, without_empty_variables);
    }
    let is_empty = |name: &OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    command.mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(None::<&str>) } else { arg })
}

fn run(command: Command) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let exit = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(args).await,
            #[cfg(feature = "demo")]
            Command::Demo(args) => demo::run(args).await,
            Command::Login(args) => login::run(args).await,
            Command::Issue(args) => issue::run(args).await,
            Command::Verify(args) => verify::run(args).await,
            Command::Revoke(args) => revoke::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Info(args) => info::run(args).await,
            Command::Keygen(args) => keygen::run(&args),
            Command::Watch(args) => watch::run(args).await,
            Command::Relays(command) => relays::run(command).await,
            Command::Identity(command) => identity::run(command).await,
            Command::Webhooks(command) => webhooks::run(command).await,
            Command::Users(command) => users::run(command).await,
            Command::Sessions(command) => sessions::run(command).await,
            Command::Audit(args) => audit::run(args).await,
            Command::Tokens(command) => tokens::run(command).await,
            Command::Keys(command) => keys::run(command).await,
            Command::Backup(args) => backup::backup(&args),
            Command::Restore(args) => backup::restore(&args),
            Command::MigrateFromPortal(args) => migrate::run(&args),
            Command::Store(command) => store::run(command).await,
            Command::Config(command) => config::run(command).await,
        }
    });
    // A name look-up may still block a thread; nothing waits for it.
    runtime.shutdown_background();
    exit
}
