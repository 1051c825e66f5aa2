//! Following a stream live, without loss or repetition.
//!
//! A follower listens first and reads the store second, so nothing falls between the two. What it then
//! hears is used only where it continues what it has; after a gap (two writers, a slow follower) it reads
//! the store again, which is the truth.

use std::collections::VecDeque;

use dashmap::DashMap;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Event, Events, MAX_PAGE, StreamId};
use crate::store::StoreError;

/// Events that a follower may lie behind before it has to read the store again.
const LIVE_BUFFER: usize = 16;

#[derive(Debug, Clone)]
struct Live {
    event: Event,
    ended: bool,
}

/// Who listens to which stream. Streams without a listener take no room.
#[derive(Debug, Default)]
pub(super) struct Hub {
    streams: DashMap<StreamId, broadcast::Sender<Live>>,
}

impl Hub {
    pub(super) fn publish(&self, stream: StreamId, event: Event, ended: bool) {
        if let Some(sender) = self.streams.get(&stream) {
            // An error says that the last listener has just left.
            let _ = sender.send(Live { event, ended });
        }
    }

    fn listen(&self, stream: StreamId) -> broadcast::Receiver<Live> {
        self.streams.entry(stream).or_insert_with(|| broadcast::channel(LIVE_BUFFER).0).subscribe()
    }

    fn leave(&self, stream: StreamId) {
        self.streams.remove_if(&stream, |_, sender| sender.receiver_count() == 0);
    }
}

/// A place in a stream that moves on as events come.
#[derive(Debug)]
pub struct Follower {
    events: Events,
    stream: StreamId,
    /// Index of the last event that was handed out.
    cursor: u64,
    /// Read from the store and not handed out yet.
    pending: VecDeque<Event>,
    /// Whether the stream has ended, as far as the store was read.
    ended: bool,
    /// Whether the store may hold events behind `pending`.
    behind: bool,
    live: Option<broadcast::Receiver<Live>>,
}

impl Follower {
    pub(super) async fn start(
        events: Events,
        stream: StreamId,
        after: u64,
    ) -> Result<Option<Self>, StoreError> {
        let live = Some(events.hub.listen(stream));
        let mut follower = Self {
            events,
            stream,
            cursor: after,
            pending: VecDeque::new(),
            ended: false,
            behind: true,
            live,
        };
        Ok(follower.catch_up().await?.then_some(follower))
    }

    /// The next event; waits for it. `None`: the stream has ended. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<Event>, StoreError> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                self.cursor = event.index;
                return Ok(Some(event));
            }
            if self.behind {
                if !self.catch_up().await? {
                    return Ok(None);
                }
                continue;
            }
            if self.ended {
                return Ok(None);
            }
            let Some(live) = &mut self.live else { return Ok(None) };
            match live.recv().await {
                Ok(Live { event, ended }) if event.index == self.cursor + 1 => {
                    self.ended = ended;
                    self.pending.push_back(event);
                }
                Ok(Live { event, .. }) => self.behind = event.index > self.cursor,
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    /// Reads on in the store; `false`: there is no such stream.
    async fn catch_up(&mut self) -> Result<bool, StoreError> {
        let Some(page) = self.events.read(self.stream, self.cursor).await? else { return Ok(false) };
        self.behind = page.events.len() == MAX_PAGE;
        self.ended = page.ended && !self.behind;
        self.pending = page.events.into();
        Ok(true)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Only a receiver that is gone is not counted as a listener.
        self.live = None;
        self.events.hub.leave(self.stream);
    }
}
