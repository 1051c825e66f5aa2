//! The event frames of one relay that wait to be verified.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nostr_sdk::prelude::PublicKey;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::authors::Level;
use super::link::sleep_until;
use super::room::{Held, Room};
use super::senders::Senders;
use super::waiting::Waiting;

/// A frame that was taken out of the queue.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) text: Held,
    pub(super) level: Level,
    pub(super) turn: Turn,
}

/// The author that a frame claims. A sender that Portico waits for has its own line: an answer does not wait
/// behind the sender's other events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Author {
    pub(super) key: PublicKey,
    pub(super) waited_for: bool,
}

/// The turn of one author: while it lasts, no other frame of this author leaves the same queue. So the events
/// of one author from one relay are handled in order, with any number of workers.
#[derive(Debug)]
pub(super) struct Turn {
    lines: Arc<Lines>,
    author: Author,
}

/// Each relay has its own queue and its own workers: a relay that floods Portico fills its own queue and
/// keeps its own workers busy, and no others.
#[derive(Debug)]
pub(super) struct Queue {
    lines: Arc<Lines>,
    max_frames: usize,
    room: Arc<Room>,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: Mutex<Waiting<Author, Held>>,
    /// There may be a frame to take.
    arrived: Notify,
}

impl Queue {
    /// A queue for this many frames.
    pub(super) fn new(max_frames: usize) -> Self {
        Self { lines: Arc::default(), max_frames: max_frames.max(1), room: Arc::default() }
    }

    /// Adds a frame. If there is no room within `max_bytes`, other frames make room for it. Returns how many
    /// frames were lost, possibly including this one.
    pub(super) fn push(&self, text: &str, author: Author, level: Level, max_bytes: usize) -> u64 {
        let mut lost = 0;
        let mut waiting = self.lines.waiting();
        loop {
            let room = (waiting.len() < self.max_frames).then(|| self.room.hold(text, max_bytes));
            if let Some(text) = room.flatten() {
                waiting.push(author, text, level);
                self.lines.arrived.notify_one();
                return lost;
            }
            lost += 1;
            if waiting.give_up_for(level).is_none() {
                return lost;
            }
        }
    }

    /// Reserves room for a frame outside the queue, within the same bound in bytes.
    pub(super) fn hold(&self, text: &str, max_bytes: usize) -> Option<Held> {
        self.room.hold(text, max_bytes)
    }

    /// Returns the next frame that may be handled, as soon as there is one. Calls `stalled` if it has to wait
    /// for events that are verified and not yet handled.
    pub(super) async fn next(&self, senders: &Senders, stalled: impl Fn()) -> Frame {
        loop {
            let (arrived, handled) = (self.lines.arrived.notified(), senders.handled.notified());
            let now = Instant::now();
            let open = senders.open(now);
            let level_of = |author: &Author| senders.level(&author.key, author.waited_for, now);
            let next = open.up_to.and_then(|level| self.lines.waiting().pop(level, level_of));
            if let Some((author, text, level)) = next {
                return Frame { text, level, turn: Turn { lines: Arc::clone(&self.lines), author } };
            }
            if open.stalled && self.len() > 0 {
                stalled();
            }
            tokio::select! {
                () = arrived => {}
                // Only a worker that waits for room is woken by every event that was handled.
                () = handled, if open.stalled => {}
                () = sleep_until(open.again) => {}
            }
        }
    }

    /// How many frames wait.
    pub(super) fn len(&self) -> usize {
        self.lines.waiting().len()
    }
}

impl Lines {
    fn waiting(&self) -> MutexGuard<'_, Waiting<Author, Held>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.lines.waiting().done(&self.author) {
            self.lines.arrived.notify_one();
        }
    }
}
