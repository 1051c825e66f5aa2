//! Requests that nobody answers, and what each of them costs while it is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use nostr_sdk::Keys;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Result;
use crate::args::Args;
use crate::daemon::{self, Daemon};
use crate::report::{millis, tenth};
use crate::usage::Usage;

/// Connections that open requests.
const CONNECTIONS: usize = 64;

/// Opens [`Args::silent`] requests, each for a user of its own.
pub(crate) async fn open(args: &Args, daemon: &Daemon) -> Result<Value> {
    let before = Usage::of(daemon.pid())?;
    let began = Instant::now();
    let left = Arc::new(AtomicUsize::new(args.silent));
    let mut callers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (mut connection, left) = (daemon.connect().await?, Arc::clone(&left));
        callers.spawn(async move {
            let take = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                let body = json!({ "main_key": Keys::generate().public_key() }).to_string();
                connection.call("POST", "/authenticate-key", &body).await?;
            }
            Result::Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    let wall = began.elapsed();
    daemon::settle().await;
    let after = Usage::of(daemon.pid())?;
    let per_request = (after.resident_kib - before.resident_kib) * 1024.0 / args.silent as f64;
    let cpu_us = (after.cpu_s - before.cpu_s) * 1e6 / args.silent as f64;
    eprintln!("load: {} requests are open, {per_request:.0} bytes each", args.silent);
    Ok(json!({
        "open": args.silent,
        "rss_mb": after.resident_mb(),
        "bytes_per_open": per_request.round(),
        "opened_in_s": millis(wall) / 1000.0,
        "cpu_us_each": tenth(cpu_us),
    }))
}
