//! A web server of a domain, for NIP-05: one answer, whatever it is asked for.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every request with this status line, these header lines and this body.
pub(crate) async fn domain(
    status: &'static str,
    headers: &'static [&'static str],
    body: String,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte).await, Ok(1)) {
                head.push(byte[0]);
            }
            let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
            headers.iter().for_each(|line| answer.extend([*line, "\r\n"]));
            answer.extend(["Connection: close\r\n\r\n", &body]);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}
