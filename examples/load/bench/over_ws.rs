//! Commands over WebSocket: some connections, many commands in flight on each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::Run;
use super::work::Work;
use crate::Result;
use crate::socket::{Address, Stream};

#[derive(Deserialize)]
struct Answer<'a> {
    id: usize,
    r#type: &'a str,
}

pub(super) async fn run(
    address: Address<'_>,
    connections: usize,
    in_flight: usize,
    work: Work,
    time: Duration,
) -> Result<Run> {
    let work = Arc::new(work);
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(client_async("ws://localhost/ws", address.connect().await?).await?.0);
    }
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for socket in opened {
        callers.spawn(call(socket, in_flight, Arc::clone(&work), began + time));
    }
    let mut times = Vec::new();
    while let Some(caller) = callers.join_next().await {
        times.extend(caller??);
    }
    Ok(Run { wall: began.elapsed(), times })
}

async fn call(
    socket: WebSocketStream<Box<dyn Stream>>,
    in_flight: usize,
    work: Arc<Work>,
    until: Instant,
) -> Result<Vec<Duration>> {
    let (mut sink, frames) = socket.split();
    // Answer all frames that have arrived with as many new commands, and one flush.
    let mut batches = frames.ready_chunks(in_flight);
    let mut times = Vec::new();
    let mut sent = vec![Instant::now(); in_flight];
    let mut free: Vec<usize> = (0..in_flight).collect();
    loop {
        let now = Instant::now();
        while now < until
            && let Some(id) = free.pop()
            && let Some(command) = work.command(id)
        {
            sent[id] = now;
            sink.feed(Message::text(command)).await?;
        }
        sink.flush().await?;
        if free.len() == in_flight {
            return Ok(times);
        }
        let batch = batches.next().await.ok_or("the daemon hung up")?;
        let now = Instant::now();
        for frame in batch {
            let Message::Text(text) = frame? else { continue };
            let answer: Answer<'_> = serde_json::from_str(&text)?;
            if answer.r#type != "success" {
                return Err(text.to_string().into());
            }
            times.push(now - sent[answer.id]);
            free.push(answer.id);
        }
    }
}
