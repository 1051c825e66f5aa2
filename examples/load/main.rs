//! What the daemon can carry: many logins at once, many that nobody answers, and the two token routes.
//!
//! Four processes, so that what is measured is the daemon's alone: this one calls the API, `portico serve` is
//! the daemon, and this program runs itself twice more, as the relay (`relay.rs`) and as all the wallets
//! (`wallets.rs`). One line of JSON on standard output; progress on standard error.

mod args;
mod bench;
mod daemon;
mod http;
mod login;
mod relay;
mod report;
mod silent;
mod socket;
mod wallets;

use std::process::ExitCode;

use clap::Parser;
use serde_json::{Map, Value, json};

use args::{Args, Role};
use daemon::{Daemon, Usage};

/// What goes wrong in a tool like this is shown to whoever runs it, and nobody else.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let args = Args::parse();
    // The relay hands frames on and does no cryptography: one thread is enough and costs the others least.
    let mut runtime = match args.role {
        Some(Role::Relay) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let run = async {
        match args.role {
            Some(Role::Relay) => relay::run(&args).await,
            Some(Role::Wallets) => wallets::run(&args).await,
            None => measure(&args).await,
        }
    };
    let ended = runtime.enable_all().build().map_err(Into::into).and_then(|runtime| runtime.block_on(run));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(args: &Args) -> Result<()> {
    let (_relay, relay) = daemon::start_relay(args).await?;
    let daemon = Daemon::start(args, &relay).await?;
    let service = daemon.service().await?;
    let mut wallets = wallets::Handle::start(args, &relay, &service).await?;
    eprintln!("load: {} wallets are subscribed; the daemon is {service}", args.wallets());

    // A login that goes through shows that everybody is connected.
    login::one(&daemon.socket, args.follow, wallets.next(), wallets.sender()).await?;
    daemon::settle().await;
    let rest = Usage::of(daemon.pid())?;
    let mut report = Map::new();
    report.insert("start_to_health_ms".into(), json!(report::millis(daemon.start_to_health)));
    report.insert("daemon_rss_at_rest_mb".into(), json!(rest.resident_mb()));

    if args.silent > 0 {
        report.insert("silent".into(), silent::open(args, &daemon).await?);
    }
    if args.logins > 0 {
        report.extend(login::many(args, &daemon, &mut wallets).await?);
    }
    if args.bench {
        let [verify, issue, nothing] = bench::all(args, &daemon, &service).await?;
        report.extend([("verify".into(), verify), ("issue".into(), issue), ("nothing".into(), nothing)]);
    }
    let end = Usage::of(daemon.pid())?;
    report.insert("daemon_rss_peak_mb".into(), json!(end.peak_mb()));
    println!("{}", Value::Object(report));
    Ok(())
}
