//! The event frames of one relay that wait to be verified.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nostr_sdk::prelude::PublicKey;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::authors::Level;
use super::inbox::Inbox;
use super::link::sleep_until;
use super::room::{Held, Room};
use super::senders::Senders;
use super::waiting::Waiting;

/// A frame that waits.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) text: Held,
    /// Who it says wrote it.
    pub(super) author: PublicKey,
    waited_for: bool,
}

/// Each relay has its own queue and its own workers: one that floods us fills its queue and keeps its workers
/// busy, and no others.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting<Frame>>,
    max_frames: usize,
    room: Arc<Room>,
    arrived: Notify,
}

impl Queue {
    /// One in which so many frames may wait.
    pub(super) fn new(max_frames: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            max_frames: max_frames.max(1),
            room: Arc::default(),
            arrived: Notify::new(),
        }
    }

    /// Lets a frame wait, in place of others if there is no room within `max_bytes`. Returns how many frames
    /// were lost, this one among them.
    pub(super) fn push(
        &self,
        text: &str,
        (author, waited_for): (PublicKey, bool),
        level: Level,
        max_bytes: usize,
    ) -> u64 {
        let mut lost = 0;
        let mut waiting = self.waiting();
        loop {
            let room = (waiting.len() < self.max_frames).then(|| self.room.hold(text, max_bytes));
            if let Some(text) = room.flatten() {
                waiting.push(Frame { text, author, waited_for }, level);
                self.arrived.notify_one();
                return lost;
            }
            lost += 1;
            if waiting.give_up_for(level).is_none() {
                return lost;
            }
        }
    }

    /// Room beside the frames that wait, for a frame that somebody else waits for.
    pub(super) fn hold(&self, text: &str, max_bytes: usize) -> Option<Held> {
        self.room.hold(text, max_bytes)
    }

    /// The frame to look at next, as soon as there is one that may be. `stalled` is called if it has to wait
    /// because what was verified before is not handled yet.
    pub(super) async fn next(&self, senders: &Senders, inbox: &Inbox, stalled: impl Fn()) -> (Frame, Level) {
        loop {
            let (arrived, handled) = (self.arrived.notified(), senders.handled.notified());
            let now = Instant::now();
            let open = senders.open(inbox.is_full(), now);
            let level_of = |frame: &Frame| senders.level(&frame.author, frame.waited_for, now);
            let next = open.up_to.and_then(|level| self.waiting().pop(level, level_of));
            if let Some(next) = next {
                return next;
            }
            if open.stalled && self.len() > 0 {
                stalled();
            }
            tokio::select! {
                () = arrived => {}
                () = handled => {}
                () = sleep_until(open.again) => {}
            }
        }
    }

    /// How many frames wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<Frame>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
