//! What the daemon can carry: many logins at once, many that nobody answers, and the two token routes.
//!
//! There are four processes, so that the figures of the daemon are its own. This process calls the API, `portico serve`
//! is the daemon, and this program runs itself twice more: as the relay (`relay.rs`) and as all wallets (`wallets.rs`).
//! Standard output gets one line of JSON, standard error the progress.

mod args;
mod asked;
mod bench;
mod children;
mod cryptography;
#[allow(dead_code, reason = "only the soak ends it and starts it again")]
mod daemon;
mod flood;
mod follow;
mod frames;
mod http;
mod idle;
mod login;
mod memory;
mod relay;
mod report;
mod silent;
mod socket;
mod usage;
mod wallets;

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Map, Value, json};
use tokio::process::Child;

use args::{Args, Role};
use daemon::Daemon;
use usage::Usage;

/// Errors are only shown to the person who runs this tool.
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
            Some(Role::Relay) => children::be_relay(&args).await,
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

/// One wallet's credential logs in and renews as often as it can.
const UNBOUNDED: &str = "max_per_user = 100000000\nmax_logins_per_wallet = 100000000\n\
                         max_refreshes_per_wallet = 100000000\n";

/// Changes the defaults of the daemon that would limit the load.
fn configuration(args: &Args) -> String {
    let max_open = 200_000.max(args.silent + 2 * args.logins + 100);
    let ttl = if args.silent > 0 { "2h" } else { "5m" };
    let sessions = format!("[sessions]\nenabled = {}\n{UNBOUNDED}", args.sessions);
    let private = args.strangers_relays > 0;
    format!(
        "[auth]\nmax_open = {max_open}\nchallenge_ttl = \"{ttl}\"\n[relays]\nallow_private = {private}\n{sessions}"
    )
}

/// The relay that logins go through, where it is, and the one that floods, which may be the same.
async fn relays(args: &Args) -> Result<(Option<Child>, String, Option<flood::Handle>)> {
    let subscriptions = args.relay_subs.to_string();
    let mut flags = vec!["--relay-subs", &subscriptions];
    let (floods, its_flags) = (args.flood > 0 && args.strangers_relays == 0, flood::flags(args));
    if floods && args.flood_only_relay {
        flags.extend(its_flags.iter().map(String::as_str));
        let flood = flood::Handle::of(args, children::start_relay(&flags).await?);
        return Ok((None, flood.url.clone(), Some(flood)));
    }
    let relay = children::start_relay(&flags).await?;
    let flood = if floods { Some(flood::Handle::start(args).await?) } else { None };
    Ok((Some(relay.process), relay.url, flood))
}

/// The same as in the flood, before it.
async fn calm(args: &Args, daemon: &Daemon, wallets: &mut wallets::Handle) -> Result<Value> {
    let mut calm = Map::new();
    if args.asked > 0 {
        let keys = wallets.next_keys(args.asked);
        calm.insert("asked".into(), asked::all(args, daemon, &keys).await?);
    }
    if args.logins > 0 {
        calm.extend(login::many(args, daemon, wallets).await?.0);
    }
    Ok(Value::Object(calm))
}

async fn measure(args: &Args) -> Result<()> {
    let (_relay, relay, mut flood) = relays(args).await?;
    let relays: Vec<&str> =
        flood.iter().map(|flood| &*flood.url).chain([&*relay]).collect::<BTreeSet<_>>().into_iter().collect();
    let daemon = Daemon::start(args.daemon.as_deref(), &configuration(args), &relays).await?;
    let service = daemon.service().await?;
    let mut wallets = wallets::Handle::start(args, &relay, &service).await?;
    eprintln!("load: {} wallets are subscribed; the daemon is {service}", args.wallets());

    // After one complete login, all processes are connected.
    let mut approvals =
        vec![login::one(&daemon.socket, args.follow, wallets.next(), wallets.sender()).await?];
    daemon::settle().await;
    let rest = Usage::of(daemon.pid())?;
    let mut report = Map::new();
    report.insert("start_to_health_ms".into(), json!(report::millis(daemon.start_to_health)));
    report.insert("daemon_rss_at_rest_mb".into(), json!(rest.resident_mb()));

    if args.strangers_relays > 0 {
        report.insert("strangers_relays".into(), memory::measure(args, &daemon, &mut wallets).await?);
    }
    if let Some(flood) = &mut flood {
        flood.arm(&daemon).await?;
        report.insert("calm".into(), calm(args, &daemon, &mut wallets).await?);
        flood.begin().await?;
        report.insert("flood".into(), flood.measure(&daemon).await?);
    }
    let idle = idle::Crowd::hold(args.idle_connections, &daemon).await?;
    if let Some(idle) = &idle {
        report.insert("idle_connections".into(), idle.figures(&daemon, rest)?);
    }
    if args.silent > 0 {
        report.insert("silent".into(), silent::open(args, &daemon).await?);
    }
    if args.asked > 0 {
        report.insert("asked".into(), asked::all(args, &daemon, &wallets.next_keys(args.asked)).await?);
    }
    if args.logins > 0 {
        let (figures, more) = login::many(args, &daemon, &mut wallets).await?;
        report.extend(figures);
        approvals.extend(more);
    }
    if args.bench {
        let [verify, issue, nothing] = bench::all(args, &daemon, &service).await?;
        report.extend([("verify".into(), verify), ("issue".into(), issue), ("nothing".into(), nothing)]);
    }
    if args.sessions {
        report.insert("sessions".into(), bench::sessions(args, &daemon, &approvals).await?);
    }
    if let Some(flood) = &flood {
        report.insert("flooding_relay".into(), flood.state(&daemon).await?);
    }
    let end = Usage::of(daemon.pid())?;
    report.insert("cryptography_ms_per_login".into(), json!(cryptography::cost_ms()?));
    report.insert("daemon_rss_peak_mb".into(), json!(end.peak_mb()));
    println!("{}", Value::Object(report));
    Ok(())
}
