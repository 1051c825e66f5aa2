//! Reads a limited amount at a time and then lets other tasks run, whatever frame sizes and speed a relay
//! uses.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// This many bytes are read at a time.
const AT_A_TIME: usize = 64 * 1024;

/// How many bytes may be read before other tasks run. All clones share the count.
#[derive(Debug, Clone)]
pub(super) struct Pace(Arc<AtomicUsize>);

impl Default for Pace {
    /// Without a limit: the caller begins each turn.
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(usize::MAX)))
    }
}

impl Pace {
    /// A turn begins.
    pub(super) fn begin(&self) {
        self.0.store(AT_A_TIME, Ordering::Relaxed);
    }

    fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) {
        self.0.store(self.left().saturating_sub(bytes), Ordering::Relaxed);
    }
}

/// A connection that is read at a [`Pace`].
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Pace,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self { stream, pace }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, pace } = self.get_mut();
        if pace.left() == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(stream).poll_read(cx, buf))?;
        pace.take(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_relay_that_never_stops_sending_is_read_for_a_turn_at_a_time() {
        let pace = Pace::default();
        let mut endless = Paced::new(tokio::io::repeat(b'x'), pace.clone());
        let mut read = 0;
        let mut turn = async || {
            let mut bytes = [0; 4096];
            loop {
                read += endless.read(&mut bytes).await.unwrap();
            }
        };
        {
            let mut turn = std::pin::pin!(turn());
            for _ in 0..3 {
                pace.begin();
                assert!(futures_util::poll!(&mut turn).is_pending());
            }
        }
        assert!((3 * AT_A_TIME..3 * (AT_A_TIME + 4096)).contains(&read), "{read}");
    }
}
