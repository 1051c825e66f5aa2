//! Relays of a stranger: a wallet's scan names them, the daemon connects, and each sends as much as it can.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Result;
use crate::args::Args;
use crate::daemon::{self, Daemon};
use crate::flood::Handle;
use crate::usage::Usage;
use crate::wallets;

/// How long they send.
const SECONDS: u64 = 10;

/// The memory that the relays of one stranger cost the daemon.
pub(crate) async fn measure(args: &Args, daemon: &Daemon, wallets: &mut wallets::Handle) -> Result<Value> {
    let mut relays = Vec::new();
    for _ in 0..args.strangers_relays {
        let mut relay = Handle::start(args).await?;
        relay.arm(daemon).await?;
        relay.begin().await?;
        relays.push(relay);
    }
    daemon::settle().await;
    let before = Usage::of(daemon.pid())?;
    let urls: Vec<&str> = relays.iter().map(|relay| &*relay.url).collect();
    let opened = daemon.connect().await?.call("POST", "/login", "{}").await?;
    let url = opened["url"].as_str().ok_or("a login without a URL")?;
    wallets.sender().send(format!("{} {url} {}\n", wallets.next(), urls.join(" ")))?;
    let mut highest = before.resident_mb();
    for _ in 0..SECONDS * 20 {
        sleep(Duration::from_millis(50)).await;
        highest = highest.max(Usage::of(daemon.pid())?.resident_mb());
    }
    let after = Usage::of(daemon.pid())?;
    let mut received = 0;
    for relay in &relays {
        received += relay.state(daemon).await?["received"].as_u64().unwrap_or_default();
    }
    let cores = ((after.cpu_s - before.cpu_s) / SECONDS as f64 * 100.0).round() / 100.0;
    let before = before.resident_mb();
    eprintln!("load: {} relays of a stranger: from {before} to {highest} MB", relays.len());
    Ok(json!({
        "relays": relays.len(), "frame_kib": args.flood_kib, "frames_received": received, "daemon_cores": cores,
        "rss_before_mb": before, "rss_highest_mb": highest, "rss_after_mb": after.resident_mb(),
    }))
}
