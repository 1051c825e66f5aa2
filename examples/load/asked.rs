//! Users who are asked by a caller: how long it takes until their answer has come through.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::Result;
use crate::args::Args;
use crate::daemon::Daemon;
use crate::follow::Follow;
use crate::login::is_end;
use crate::report::Times;

/// Asks one user for each of these keys, a few at a time, and reports.
pub(crate) async fn all(args: &Args, daemon: &Daemon, keys: &[String]) -> Result<Value> {
    const AT_ONCE: usize = 4;

    let give_up = Duration::from_secs(args.give_up_secs);
    let asking = keys.iter().map(|key| async move {
        let began = Instant::now();
        let ended = timeout(give_up, one(daemon, args.follow, key)).await;
        matches!(ended, Ok(Ok(()))).then(|| began.elapsed())
    });
    let times: Vec<_> = iter(asking).buffer_unordered(args.at_once.unwrap_or(AT_ONCE)).collect().await;
    let completed: Vec<Duration> = times.iter().flatten().copied().collect();
    let failed = times.len() - completed.len();
    let times = Times::new(completed);
    Ok(
        json!({ "asked": keys.len(), "failed": failed, "p50_ms": times.percentile(50), "p99_ms": times.percentile(99) }),
    )
}

async fn one(daemon: &Daemon, follow: Follow, key: &str) -> Result<()> {
    let mut connection = daemon.connect().await?;
    let body = json!({ "main_key": key }).to_string();
    let opened = connection.call("POST", "/authenticate-key", &body).await?;
    let stream = opened["stream_id"].as_str().ok_or("a request without a stream")?;
    follow.stream(connection, &daemon.socket, stream, 0, is_end).await
}
