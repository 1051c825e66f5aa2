//! Requests over HTTP: some connections, one request at a time on each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Requests, Run};
use crate::Result;
use crate::http::Connection;
use crate::socket::Address;

pub(super) async fn run(
    address: Address<'_>,
    connections: usize,
    work: impl Requests,
    time: Duration,
) -> Result<Run> {
    let work = Arc::new(work);
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(Connection::open(address).await?);
    }
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for connection in opened {
        callers.spawn(call(connection, Arc::clone(&work), began + time));
    }
    let mut times = Vec::new();
    while let Some(caller) = callers.join_next().await {
        times.extend(caller??);
    }
    Ok(Run { wall: began.elapsed(), times })
}

async fn call(mut connection: Connection, work: Arc<impl Requests>, until: Instant) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut now = Instant::now();
    while now < until
        && let Some(request) = work.next()
    {
        let (status, body) = connection.exchange(&request).await?;
        if status != 200 {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        let then = std::mem::replace(&mut now, Instant::now());
        times.push(now - then);
    }
    Ok(times)
}
