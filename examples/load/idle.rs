//! Connections that are held open and say nothing, or half a word.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::Result;
use crate::daemon::{self, Daemon};
use crate::socket::{Address, Stream};
use crate::usage::Usage;

/// What a client has sent when it falls silent.
const SILENCES: [&str; 4] = [
    "",
    "GET /events/x HT",
    "POST /login HTTP/1.1\r\nhost: localhost\r\nx-slow: lor",
    "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{",
];

/// All of them; they are closed with this value.
pub(crate) struct Crowd(Vec<Box<dyn Stream>>);

impl Crowd {
    /// Opens `count` connections, half of them over TCP. `None`: none were asked for.
    pub(crate) async fn hold(count: usize, daemon: &Daemon) -> Result<Option<Self>> {
        if count == 0 {
            return Ok(None);
        }
        let addresses = [Address::Unix(&daemon.socket), Address::Tcp(daemon.tcp()?)];
        let mut crowd = Vec::with_capacity(count);
        for n in 0..count {
            let mut stream = addresses[n % 2].connect().await?;
            stream.write_all(SILENCES[n / 2 % SILENCES.len()].as_bytes()).await?;
            crowd.push(stream);
        }
        daemon::settle().await;
        eprintln!("load: {count} connections are held open");
        Ok(Some(Self(crowd)))
    }

    /// What they cost.
    pub(crate) fn figures(&self, daemon: &Daemon, rest: Usage) -> Result<Value> {
        let now = Usage::of(daemon.pid())?;
        let each = (now.resident_kib - rest.resident_kib) * 1024.0 / self.0.len() as f64;
        Ok(json!({ "held": self.0.len(), "bytes_each": each.round() }))
    }
}
