//! Bounds what a client may send before `Auth`, so that strangers on TCP take little memory.
//!
//! tungstenite has one bound for all messages of a connection, and makes room for a whole frame as soon as its header
//! has arrived. So the bound for clients that Portico does not know yet is here, below tungstenite.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::api::caller::Caller;

/// Bytes that a client may send before `Auth` has succeeded: several times an `Auth` with the longest token.
const MOST: usize = 4 * 1024;

/// A stream that passes on few bytes until the client is known.
#[derive(Debug)]
pub(super) struct UntilKnown<S> {
    stream: S,
    known: Arc<OnceLock<Caller>>,
    /// Notified if the client has sent more than it may.
    too_much: Arc<Notify>,
    left: usize,
    frames: Frames,
    /// What the client sent early, for the case that it turns out to be known.
    held: Vec<u8>,
}

impl<S> UntilKnown<S> {
    pub(super) fn new(stream: S, known: Arc<OnceLock<Caller>>, too_much: Arc<Notify>) -> Self {
        Self { stream, known, too_much, left: MOST, frames: Frames::default(), held: Vec::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for UntilKnown<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.known.get().is_some() {
            if this.held.is_empty() {
                return Pin::new(&mut this.stream).poll_read(cx, buffer);
            }
            let now = this.held.len().min(buffer.remaining());
            buffer.put_slice(&this.held[..now]);
            this.held.drain(..now);
            return Poll::Ready(Ok(()));
        }
        let room = this.left.min(buffer.remaining());
        if room > 0 && this.held.is_empty() {
            let mut bytes = [0; MOST];
            let mut part = ReadBuf::new(&mut bytes[..room]);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
            let read = part.filled();
            let fitting = this.frames.fitting(read);
            this.left -= read.len();
            this.held.extend(&read[fitting..]);
            buffer.put_slice(&read[..fitting]);
            if fitting > 0 || read.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        // The task that reads is also the one that learns who the client is, so it comes back by itself.
        this.too_much.notify_one();
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for UntilKnown<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Where the frames of a client begin and end (RFC 6455 §5.2).
#[derive(Debug, Default)]
struct Frames {
    /// The part of the next header that has arrived.
    header: Vec<u8>,
    /// Bytes of the current frame that are still to come: mask and payload.
    left: usize,
}

impl Frames {
    /// How many of these bytes come before the end of the header of a frame that is too long.
    fn fitting(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let skipped = self.left.min(bytes.len() - at);
            self.left -= skipped;
            at += skipped;
            let Some(byte) = bytes.get(at) else { break };
            self.header.push(*byte);
            if let Some(length) = length(&self.header) {
                if length > MOST as u64 {
                    return at;
                }
                let is_masked = self.header.get(1).is_some_and(|byte| byte & 0x80 != 0);
                self.left = length as usize + if is_masked { 4 } else { 0 };
                self.header.clear();
            }
            at += 1;
        }
        at
    }
}

/// The length of the payload, once its field has arrived.
fn length(header: &[u8]) -> Option<u64> {
    let (first, rest) = header.get(1..)?.split_first()?;
    match first & 0x7f {
        126 => Some(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?).into()),
        127 => Some(u64::from_be_bytes(rest.get(..8)?.try_into().ok()?)),
        short => Some(short.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_too_long_is_seen_before_there_is_room_for_it() {
        let short = [&[0x81, 0x85, 1, 2, 3, 4][..], b"hello"].concat();
        let empty = [0x89, 0x80, 1, 2, 3, 4];
        let long = [&[0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4][..], &[b'x'; 4096]].concat();
        let too_long: [&[u8]; 3] = [
            &[0x81, 0xfe, 0x10, 0x01, 1, 2, 3, 4],
            &[0x01, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4],
            &[0x01, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ];
        for bad in too_long {
            let good = [&short[..], &empty, &long, &short].concat();
            let all = [&good[..], bad].concat();
            let last_of_header = good.len() + if bad[1] & 0x7f == 126 { 3 } else { 9 };
            assert_eq!(Frames::default().fitting(&all), last_of_header);
            // However it arrives.
            let mut frames = Frames::default();
            let passed = all.iter().take_while(|byte| frames.fitting(&[**byte]) == 1).count();
            assert_eq!(passed, last_of_header);
        }
    }
}
