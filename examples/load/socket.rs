//! One type for both kinds of socket.

use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Anything that bytes go through both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where the daemon listens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Address<'a> {
    /// Its Unix socket.
    Unix(&'a Path),
    /// Its TCP socket.
    Tcp(SocketAddr),
}

impl Address<'_> {
    pub(crate) async fn connect(self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }
}
