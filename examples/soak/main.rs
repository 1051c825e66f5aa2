//! Mixed traffic for as long as you like, with faults at random moments: relays restart, the daemon is killed, the
//! webhook's receiver is unavailable, clients disconnect, and another process locks the store. Every accepted request
//! must end exactly once, and memory, files and the database must not grow without bound.
//!
//! Build the daemon first (`cargo build --release`). Progress on standard error, one line of JSON at the end.

mod args;
#[allow(dead_code, reason = "the load generator measures more")]
#[path = "../load/daemon.rs"]
mod daemon;
mod faults;
#[path = "../load/follow.rs"]
mod follow;
#[allow(dead_code, reason = "the load generator measures more")]
#[path = "../load/http.rs"]
mod http;
mod ledger;
mod receiver;
#[path = "../load/relay.rs"]
mod relay;
mod relays;
#[allow(dead_code, reason = "the load generator measures more")]
#[path = "../load/report.rs"]
mod report;
mod resources;
#[allow(dead_code, reason = "the load generator measures more")]
#[path = "../load/socket.rs"]
mod socket;
mod traffic;
#[allow(dead_code, reason = "the load generator measures more")]
#[path = "../load/usage.rs"]
mod usage;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use args::Args;
use daemon::Daemon;
use faults::Faults;
use ledger::Ledger;
use receiver::Receiver;
use relays::Relays;
use resources::Resources;
use traffic::World;

/// Errors are only shown to the person who runs this tool.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long a request may wait for its wallet, in seconds.
const TTL_SECS: u64 = 10;

/// How long everything may take to come to its end after the last fault.
const LAST_ENDS: Duration = Duration::from_secs(TTL_SECS + 60);

#[tokio::main]
async fn main() -> ExitCode {
    match soak(&Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether everything held.
async fn soak(args: &Args) -> Result<bool> {
    eprintln!("soak: {} minutes, --seed {}", args.minutes, args.seed);
    let relays = Relays::start().await?;
    let receiver = Receiver::start().await?;
    let sections = format!(
        "[auth]\nhandshake_ttl = \"{TTL_SECS}s\"\nchallenge_ttl = \"{TTL_SECS}s\"\n\
         [webhook]\nurl = \"http://{}/hook\"\nsecret = \"{}\"\nfirst_retry = \"100ms\"\nlongest_retry = \"2s\"\n",
        receiver.address,
        receiver::SECRET,
    );
    let urls = relays.urls();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let daemon = Daemon::start(args.daemon.as_deref(), &sections, &urls).await?;
    let world = Arc::new(World::new(&daemon, Ledger::default()).await?);
    let mut callers = JoinSet::new();
    for caller in 0..args.callers {
        let rng = StdRng::seed_from_u64(args.seed + 1 + caller as u64);
        callers.spawn(Arc::clone(&world).act(rng));
    }

    let mut faults = Faults::new(daemon, relays, receiver, StdRng::seed_from_u64(args.seed), args.calm());
    let mut resources = Resources::default();
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(args.minutes * 60.0);
    let mut told = began;
    while Instant::now() < end {
        faults.next_until(end).await?;
        resources.sample(&faults.daemon)?;
        if told.elapsed() >= Duration::from_secs(60) {
            told = Instant::now();
            let minutes = began.elapsed().as_secs() / 60;
            eprintln!("soak: {minutes} min: {} · {faults} · {resources}", world.ledger);
        }
    }

    world.stop.cancel();
    faults.heal().await?;
    let ended = timeout(LAST_ENDS, async { while callers.join_next().await.is_some() {} }).await;
    let mut trouble = world.ledger.trouble();
    if ended.is_err() {
        trouble.push(format!("{} callers wait in vain for an end", callers.len()));
    }
    trouble.extend(world.check_all(LAST_ENDS).await?);
    trouble.extend(faults.receiver.check(&faults.daemon, LAST_ENDS).await?);
    trouble.extend(resources.growth());
    let count = trouble.len();
    trouble.truncate(ledger::MAX_TROUBLE);
    let report = json!({
        "minutes": args.minutes, "seed": args.seed, "held": count == 0, "troubles": count, "trouble": trouble,
        "requests": world.ledger.figures(), "faults": faults.figures(), "resources": resources.figures(),
        "deliveries": faults.receiver.taken(),
    });
    println!("{report}");
    Ok(count == 0)
}
