//! As little HTTP/1.1 as the daemon's answers need. The caller shares the cores with the daemon, so it must use little
//! processor time.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Result;
use crate::socket::{Address, Stream};

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: Address<'_>) -> Result<Self> {
        Ok(Self { stream: address.connect().await?, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request that [`request`] made; returns status and body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        let (status, length) = self.begin(request).await?;
        let length = length.ok_or("an answer without a length")?;
        while self.buffer.len() < length {
            self.fill().await?;
        }
        let rest = self.buffer.split_off(length);
        Ok((status, std::mem::replace(&mut self.buffer, rest)))
    }

    /// Sends a request and returns `data` of its answer.
    pub(crate) async fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let (status, body) = self.exchange(&request(method, path, "", body)).await?;
        let mut answer: Value = serde_json::from_slice(&body)?;
        if status >= 300 {
            return Err(format!("{method} {path}: {status} {answer}").into());
        }
        Ok(answer["data"].take())
    }

    /// Sends a request whose answer is a stream of events.
    pub(crate) async fn follow(mut self, path: &str) -> Result<EventSource> {
        let request = request("GET", path, "accept: text/event-stream\r\n", "");
        match self.begin(&request).await? {
            (200, None) => Ok(EventSource { connection: self }),
            (status, _) => Err(format!("GET {path}: {status} and no stream").into()),
        }
    }

    /// Sends a request and takes in the head of the answer: its status and the length of its body.
    async fn begin(&mut self, request: &[u8]) -> Result<(u16, Option<usize>)> {
        self.stream.write_all(request).await?;
        let head = self.through(b"\r\n\r\n").await?;
        let head = std::str::from_utf8(&head)?.to_ascii_lowercase();
        let status = head.split(' ').nth(1).ok_or("not an HTTP answer")?.parse()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        Ok((status, length.map(str::parse).transpose()?))
    }

    /// Everything up to and with `mark`.
    async fn through(&mut self, mark: &[u8]) -> Result<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                let rest = self.buffer.split_off(at + mark.len());
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the daemon hung up".into()),
            _ => Ok(()),
        }
    }
}

/// Server-Sent Events in chunks, one or more lines a chunk.
pub(crate) struct EventSource {
    connection: Connection,
}

impl EventSource {
    /// The data of the next event.
    pub(crate) async fn next(&mut self) -> Result<Value> {
        loop {
            let size = self.connection.through(b"\r\n").await?;
            let size = usize::from_str_radix(std::str::from_utf8(&size)?.trim_end(), 16)?;
            while self.connection.buffer.len() < size + 2 {
                self.connection.fill().await?;
            }
            let rest = self.connection.buffer.split_off(size + 2);
            let chunk = std::mem::replace(&mut self.connection.buffer, rest);
            if size == 0 {
                return Err("the stream ended".into());
            }
            let mut lines = std::str::from_utf8(&chunk)?.lines();
            if let Some(data) = lines.find_map(|line| line.strip_prefix("data: ")) {
                return Ok(serde_json::from_str(data)?);
            }
        }
    }
}

/// The bytes of a request; `headers` are whole lines.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}
