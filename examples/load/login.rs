//! Logins: one to its end, and many at once.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::Result;
use crate::args::Args;
use crate::daemon::Daemon;
use crate::follow::Follow;
use crate::http::Connection;
use crate::report::{Times, millis};
use crate::socket::Address;
use crate::usage::Usage;
use crate::wallets;

/// The time between the last login and the second look at the memory. By then, freed memory is back at the system.
const LULL: Duration = Duration::from_secs(5);

/// Carries out all logins, [`Args::at_once`] at a time or [`Args::per_second`], and reports. Also returns the result of
/// each.
pub(crate) async fn many(
    args: &Args,
    daemon: &Daemon,
    wallets: &mut wallets::Handle,
) -> Result<(Map<String, Value>, Vec<Value>)> {
    let at_once = args.at_once.filter(|_| args.per_second == 0).unwrap_or(args.logins).max(1);
    let places = Arc::new(Semaphore::new(at_once));
    let give_up = Duration::from_secs(args.give_up_secs);
    let delay = Duration::from_millis(args.wallet_delay_ms);
    let before = Usage::of(daemon.pid())?;
    let began = Instant::now();
    let mut logins = JoinSet::new();
    let mut beat = (args.per_second > 0).then(|| interval(Duration::from_secs(1) / args.per_second as u32));
    for _ in 0..args.logins {
        if let Some(beat) = &mut beat {
            beat.tick().await;
        }
        let place = Arc::clone(&places).acquire_owned().await?;
        let (socket, follow, scans) = (daemon.socket.clone(), args.follow, wallets.sender());
        let wallet = wallets.next();
        logins.spawn(async move {
            let _place = place;
            let began = Instant::now();
            let ended = timeout(give_up, one(&socket, follow, wallet, scans)).await;
            let ended = ended.unwrap_or_else(|_| Err("no end in time".into()));
            ended.map(|approval| (approval, began.elapsed().saturating_sub(delay)))
        });
    }
    let mut times = Vec::with_capacity(args.logins);
    let mut approvals = Vec::with_capacity(args.logins);
    let mut failed = 0;
    while let Some(login) = logins.join_next().await {
        match login? {
            Ok((approval, time)) => {
                times.push(time);
                approvals.push(approval);
            }
            Err(error) => {
                failed += 1;
                eprintln!("load: a login failed: {error}");
            }
        }
    }
    let wall = began.elapsed();
    let after = Usage::of(daemon.pid())?;
    let completed = times.len();
    eprintln!("load: {completed} logins in {:.2} s", wall.as_secs_f64());
    let times = Times::new(times);
    let cpu_s = after.cpu_s - before.cpu_s;
    let per_login = |total: f64| (total * 1000.0 / completed.max(1) as f64).round() / 1000.0;
    sleep(LULL).await;
    let rested = Usage::of(daemon.pid())?;
    let figures = [
        ("completed", json!(completed)),
        ("failed", json!(failed)),
        ("at_once", json!(at_once)),
        ("p50_ms", json!(times.percentile(50))),
        ("p99_ms", json!(times.percentile(99))),
        ("wall_s", json!(millis(wall) / 1000.0)),
        ("daemon_cpu_s", json!((cpu_s * 100.0).round() / 100.0)),
        ("daemon_cpu_ms_per_login", json!(per_login(cpu_s * 1000.0))),
        ("daemon_kernel_ms_per_login", json!(per_login((after.kernel_s - before.kernel_s) * 1000.0))),
        ("daemon_switches_per_login", json!(per_login(after.switches - before.switches))),
        ("daemon_rss_after_logins_mb", json!(after.resident_mb())),
        ("daemon_rss_after_a_lull_mb", json!(rested.resident_mb())),
    ];
    Ok((figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), approvals))
}

/// One login, from `POST /login` to the approval, which is returned.
pub(crate) async fn one(
    socket: &Path,
    follow: Follow,
    wallet: usize,
    scans: mpsc::UnboundedSender<String>,
) -> Result<Value> {
    let mut connection = Connection::open(Address::Unix(socket)).await?;
    let opened = connection.call("POST", "/login", "{}").await?;
    let url = opened["url"].as_str().ok_or("a login without a URL")?;
    let stream = opened["stream_id"].as_str().ok_or("a login without a stream")?;
    scans.send(format!("{wallet} {url}\n"))?;
    let mut approval = Value::Null;
    let heard = |event: &Value| {
        approval.clone_from(event);
        is_end(event)
    };
    follow.stream(connection, socket, stream, 0, heard).await?;
    Ok(approval)
}

/// Whether an event is the approval; one that ends the login otherwise is an error.
pub(crate) fn is_end(event: &Value) -> Result<bool> {
    match event["type"].as_str() {
        Some("authenticate_key") if event["status"]["status"] == "approved" => Ok(true),
        Some("key_handshake") => Ok(false),
        _ => Err(format!("the login ended with {} {}", event["type"], event["code"]).into()),
    }
}
