//! Tokens a second: verified cold, verified again, issued, next to a handler that does nothing.

mod bare;
mod layers;
mod over_http;
mod over_ws;
mod work;

pub(crate) use layers::sessions;

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;
use crate::args::Args;
use crate::daemon::Daemon;
use crate::report::{Times, tenth};
use crate::socket::Address;
use crate::usage::Usage;
use work::{Kind, Work};

/// Connections, or commands in flight on a WebSocket.
const WIDTHS: [usize; 3] = [1, 16, 64];

/// Connections of the widest measurement over WebSocket, each with as many commands in flight.
const SOCKETS: usize = 4;

/// Requests to send, one after another, shared by all connections.
pub(crate) trait Requests: Send + Sync + 'static {
    /// The next. `None`: there are no more.
    fn next(&self) -> Option<Cow<'_, [u8]>>;
}

/// What a measurement came to.
pub(crate) struct Run {
    /// From the first request to the last answer.
    pub(crate) wall: Duration,
    /// How long each request took.
    pub(crate) times: Vec<Duration>,
}

/// Connections that ask in batches.
const BATCHERS: usize = 4;

/// Measures everything; returns what was found of verifying, of issuing and of doing nothing.
pub(crate) async fn all(args: &Args, daemon: &Daemon, service: &str) -> Result<[Value; 3]> {
    let (mut verify, mut issue, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
    let time = Duration::from_secs(args.verify_secs.max(1));
    let (tcp, token) = (daemon.tcp()?, daemon.token()?);
    let unix = Address::Unix(&daemon.socket);
    for kind in [Kind::Nothing, Kind::Cold, Kind::Repeated, Kind::Issue] {
        let results = match kind {
            Kind::Nothing => &mut nothing,
            Kind::Cold | Kind::Repeated | Kind::Batch => &mut verify,
            Kind::Issue => &mut issue,
        };
        for width in WIDTHS {
            for (over, address) in [("unix", unix), ("tcp", Address::Tcp(tcp))] {
                let work = Work::new(kind, service, time, &token);
                let before = Usage::of(daemon.pid())?;
                let run = over_http::run(address, width, work, time).await?;
                let after = Usage::of(daemon.pid())?;
                results.push(figures(kind.name(), kind.tokens(), over, (width, 1), &run, before, after));
            }
        }
        for (sockets, width) in WIDTHS.map(|width| (1, width)).into_iter().chain([(SOCKETS, 64)]) {
            let work = Work::new(kind, service, time, &token);
            let before = Usage::of(daemon.pid())?;
            let run = over_ws::run(unix, sockets, width, work, time).await?;
            let after = Usage::of(daemon.pid())?;
            let shape = (sockets, width);
            results.push(figures(kind.name(), kind.tokens(), "websocket", shape, &run, before, after));
        }
    }
    let work = Work::new(Kind::Batch, service, time, &token);
    let before = Usage::of(daemon.pid())?;
    let run = over_http::run(Address::Tcp(tcp), BATCHERS, work, time).await?;
    let (batch, after) = (Kind::Batch, Usage::of(daemon.pid())?);
    verify.push(figures(batch.name(), batch.tokens(), "tcp", (BATCHERS, 1), &run, before, after));
    verify.push(bare::verification(time)?);
    Ok([verify, issue, nothing].map(Value::Array))
}

fn figures(
    what: &str,
    tokens: usize,
    over: &str,
    (connections, in_flight): (usize, usize),
    run: &Run,
    before: Usage,
    after: Usage,
) -> Value {
    let done = run.times.len() * tokens;
    let per_s = (done as f64 / run.wall.as_secs_f64()).round();
    let cpu_us = tenth((after.cpu_s - before.cpu_s) * 1e6 / done.max(1) as f64);
    eprintln!("load: {what} over {over}, {connections} × {in_flight}: {per_s}/s, {cpu_us} µs each");
    let p99_ms = Times::new(run.times.clone()).percentile(99);
    json!({
        "what": what, "over": over, "connections": connections, "in_flight": in_flight,
        "per_s": per_s, "p99_ms": p99_ms, "cpu_us": cpu_us,
    })
}
