//! Space for bytes that strangers sent: held bytes are counted, and released when they are dropped.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Roughly how much memory a frame takes besides its text.
const OVERHEAD: usize = 512;

/// This many bytes are held.
#[derive(Debug, Default)]
pub(super) struct Room {
    used: AtomicUsize,
    /// How many reservations there are.
    count: AtomicUsize,
    /// Notified when something is released.
    freed: Arc<Notify>,
}

/// Bytes reserved in a [`Room`]; released on drop.
#[derive(Debug)]
pub(super) struct Reserved {
    room: Arc<Room>,
    bytes: usize,
}

/// A frame that waits, and its reserved space.
///
/// A copy: the original is a slice of a buffer that stays in memory for as long as the slice does.
#[derive(Debug)]
pub(super) struct Held {
    text: Box<str>,
    _reserved: Reserved,
}

impl Room {
    /// A room that notifies when something is released.
    pub(super) fn telling(freed: &Arc<Notify>) -> Self {
        Self { freed: Arc::clone(freed), ..Self::default() }
    }

    /// Holds a frame, if no more than `max` bytes are held then.
    pub(super) fn hold(self: &Arc<Self>, text: &str, max: usize) -> Option<Held> {
        let bytes = text.len() + OVERHEAD;
        let fits = |used: usize| used.checked_add(bytes).filter(|used| *used <= max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Held { text: text.into(), _reserved: self.reserved(bytes) })
    }

    /// Reserves space for an event of this many bytes without checking a bound: the caller has checked it.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Reserved {
        let bytes = bytes + OVERHEAD;
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.reserved(bytes)
    }

    fn reserved(self: &Arc<Self>, bytes: usize) -> Reserved {
        self.count.fetch_add(1, Ordering::Relaxed);
        Reserved { room: Arc::clone(self), bytes }
    }

    /// How many bytes are held.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How many reservations there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.room.count.fetch_sub(1, Ordering::Relaxed);
        self.room.freed.notify_waiters();
    }
}

impl Deref for Held {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_bounded_whatever_the_frames_are() {
        for length in [0, 1, 1000, 100_000] {
            let (room, text) = (Arc::<Room>::default(), "x".repeat(length));
            let mut held = Vec::new();
            held.extend(std::iter::from_fn(|| room.hold(&text, 1 << 20)));
            assert_eq!(held.len(), (1 << 20) / (length + OVERHEAD), "{length}");
            held.pop();
            assert!(room.hold(&text, 1 << 20).is_some(), "there is room again");
            drop(held);
            assert_eq!(room.used(), 0);
        }
    }
}
