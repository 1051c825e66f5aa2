//! Following a stream live, without loss or repetition.
//!
//! A follower subscribes first and reads the store second, so it misses nothing in between. If it is up to
//! date with a stream that was started here, it need not read at all. It uses a live event only if it
//! continues what it has; after a gap (two writers, a slow follower) it reads the store again, which decides.

use std::collections::VecDeque;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Event, EventPage, Events, MAX_PAGE, StreamId};
use crate::store::StoreError;

/// How many events a follower may be behind before it has to read the store again.
const LIVE_BUFFER: usize = 16;

#[derive(Debug, Clone)]
struct Heard {
    event: Arc<Event>,
    ended: bool,
}

/// Who follows which stream, and the latest index of streams that were started here. Valid while this process
/// is the only one that appends events. With several processes, it would also need the events of the others.
#[derive(Debug, Default)]
pub(super) struct Hub {
    /// Streams without a follower take no memory.
    streams: DashMap<StreamId, broadcast::Sender<Heard>>,
    /// Index of the latest event of streams that have not ended, as far as this process knows.
    latest: DashMap<StreamId, u64>,
    appended: Notify,
}

impl Hub {
    pub(super) fn publish(&self, stream: StreamId, event: Event, ended: bool) {
        // Before followers get the event: a new follower that finds nothing new here will still receive it.
        if ended {
            self.latest.remove(&stream);
        } else if let Some(mut latest) = self.latest.get_mut(&stream) {
            *latest = event.index.max(*latest);
        }
        self.appended.notify_one();
        if let Some(sender) = self.streams.get(&stream) {
            // An error says that the last listener has just left.
            let _ = sender.send(Heard { event: Arc::new(event), ended });
        }
    }

    /// A stream was started, and has no events yet.
    pub(super) fn begin(&self, stream: StreamId) {
        self.latest.insert(stream, 0);
    }

    /// The cached state of a stream may be wrong: ask the store from now on.
    pub(super) fn doubt(&self, stream: StreamId) {
        self.latest.remove(&stream);
    }

    fn is_abreast(&self, stream: StreamId, cursor: u64) -> bool {
        self.latest.get(&stream).is_some_and(|latest| *latest <= cursor)
    }

    /// Resolves when something was published since the last call.
    pub(super) async fn appended(&self) {
        self.appended.notified().await;
    }

    fn listen(&self, stream: StreamId) -> broadcast::Receiver<Heard> {
        self.streams.entry(stream).or_insert_with(|| broadcast::channel(LIVE_BUFFER).0).subscribe()
    }

    fn leave(&self, stream: StreamId) {
        self.streams.remove_if(&stream, |_, sender| sender.receiver_count() == 0);
    }
}

/// A position in a stream that advances with its events.
#[derive(Debug)]
pub struct Follower {
    events: Events,
    stream: StreamId,
    /// Index of the last event that was returned.
    cursor: u64,
    /// Events read from the store and not returned yet.
    pending: VecDeque<Event>,
    /// Whether the stream has ended, according to the last read.
    ended: bool,
    /// Whether the store may hold events after `pending`.
    behind: bool,
    live: Option<broadcast::Receiver<Heard>>,
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
        if follower.events.hub.is_abreast(stream, after) {
            follower.behind = false;
            return Ok(Some(follower));
        }
        Ok(follower.catch_up().await?.then_some(follower))
    }

    /// Waits for the next event. `None`: the stream has ended. Cancel-safe.
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
                Ok(Heard { event, ended }) if event.index == self.cursor + 1 => {
                    self.ended = ended;
                    self.pending.push_back(Arc::unwrap_or_clone(event));
                }
                Ok(Heard { event, .. }) => self.behind = event.index > self.cursor,
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    /// The events that are there already, and whether the stream has ended. Does not wait.
    pub fn ready(&mut self) -> EventPage {
        let events: Vec<Event> = self.pending.drain(..).collect();
        self.cursor = events.last().map_or(self.cursor, |last| last.index);
        EventPage { events, ended: self.ended, latest: self.cursor }
    }

    /// Whether no more events will come.
    pub fn is_over(&self) -> bool {
        self.ended && self.pending.is_empty()
    }

    /// Waits for the next event, and returns it with the others that are there by then. Cancel-safe.
    ///
    /// # Errors
    ///
    /// The error of the store, if it has to be read.
    pub async fn next_page(&mut self) -> Result<EventPage, StoreError> {
        let first = self.next().await?;
        let mut page = self.ready();
        page.events.splice(..0, first);
        Ok(page)
    }

    /// Reads on in the store. Returns `false` if there is no such stream.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nostr_sdk::Keys;

    use super::*;
    use crate::clock::Timestamp;
    use crate::events::EventBody;
    use crate::protocol::Sealer;
    use crate::store::sqlite::{SqliteOptions, SqliteStore};
    use crate::store::{Challenge, EventDraft, Handshake, HandshakeKind, Scan, Store, StoredEvent};

    const NOW: Timestamp = Timestamp::from_secs(1000);

    struct Fixture {
        events: Events,
        store: Arc<dyn Store>,
        stream: StreamId,
        _folder: tempfile::TempDir,
    }

    /// A stream that can grow for ever: that of a static handshake URL.
    async fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
        let sealer = Arc::new(Sealer::new(Keys::generate(), 8));
        let stream = StreamId::from_bytes([7; 16]);
        let handshake = Handshake {
            stream,
            token: "wall".into(),
            kind: HandshakeKind::Handshake,
            no_request: false,
            created_at: NOW,
            expires_at: None,
        };
        store.open_handshake(&handshake).await.unwrap();
        Fixture { events: Events::new(store.clone(), sealer), store, stream, _folder: folder }
    }

    #[tokio::test]
    async fn a_page_is_what_is_there_and_a_next_page_what_comes() {
        let fixture = fixture().await;
        fixture.happens().await;
        fixture.happens().await;
        let mut follower = fixture.follow(0).await;
        let indices = |page: EventPage| page.events.iter().map(|event| event.index).collect::<Vec<_>>();
        assert_eq!(indices(follower.ready()), [1, 2]);
        assert_eq!(indices(follower.ready()), [0; 0]);
        let (next, ()) = tokio::join!(follower.next_page(), fixture.happens());
        assert_eq!(indices(next.unwrap()), [3]);
    }

    impl Fixture {
        fn body(&self) -> EventBody {
            EventBody::KeyHandshake { main_key: Keys::generate().public_key(), preferred_relays: vec![] }
        }

        async fn stored(&self, body: &EventBody) -> StoredEvent {
            let scan = Scan {
                event_id: rand::random(),
                user: Keys::generate().public_key(),
                preferred_relays: vec![],
                at: NOW,
                events: vec![(self.stream, self.events.draft(NOW, body).unwrap())],
                one_time: false,
                challenge: None::<Challenge>,
            };
            self.store.record_scan(&scan).await.unwrap().unwrap().remove(0).1
        }

        async fn happens(&self) {
            let body = self.body();
            let stored = self.stored(&body).await;
            self.events.publish(self.stream, &stored, body, false);
        }

        async fn ends(&self) {
            let body = self.body();
            let draft: EventDraft = self.events.draft(NOW, &body).unwrap();
            let stored = self.store.end_stream(self.stream, &draft).await.unwrap().unwrap();
            self.events.publish(self.stream, &stored, body, true);
        }

        async fn follow(&self, after: u64) -> Follower {
            self.events.follow(self.stream, after).await.unwrap().unwrap()
        }
    }

    async fn rest(mut follower: Follower) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Some(event) = follower.next().await.unwrap() {
            seen.push(event.index);
        }
        seen
    }

    #[tokio::test]
    async fn a_follower_sees_what_was_and_what_comes_each_once_and_then_the_end() {
        let fixture = fixture().await;
        fixture.happens().await;
        fixture.happens().await;
        let from_start = tokio::spawn(rest(fixture.follow(0).await));
        let from_one = tokio::spawn(rest(fixture.follow(1).await));
        fixture.happens().await;
        fixture.ends().await;
        assert_eq!(from_start.await.unwrap(), [1, 2, 3, 4]);
        assert_eq!(from_one.await.unwrap(), [2, 3, 4]);
        assert_eq!(rest(fixture.follow(3).await).await, [4], "after the end, too");
        assert_eq!(rest(fixture.follow(4).await).await, [0; 0]);
    }

    #[tokio::test]
    async fn a_follower_that_fell_behind_reads_the_store() {
        let fixture = fixture().await;
        let follower = fixture.follow(0).await;
        for _ in 0..3 * LIVE_BUFFER {
            fixture.happens().await;
        }
        fixture.ends().await;
        let seen = rest(follower).await;
        assert_eq!(seen, (1..=3 * LIVE_BUFFER as u64 + 1).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn events_published_out_of_order_by_two_writers_come_in_order() {
        let fixture = fixture().await;
        let follower = fixture.follow(0).await;
        let (first, second) = (fixture.body(), fixture.body());
        let stored = [fixture.stored(&first).await, fixture.stored(&second).await];
        fixture.events.publish(fixture.stream, &stored[1], second, false);
        fixture.events.publish(fixture.stream, &stored[0], first, false);
        fixture.ends().await;
        assert_eq!(rest(follower).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn the_store_is_read_for_what_a_follower_cannot_hear_and_for_nothing_else() {
        let fixture = fixture().await;
        let (events, stream, body) = (&fixture.events, fixture.stream, fixture.body());
        events.begin(stream);
        let stored = fixture.stored(&body).await;
        // From here on, every read fails.
        fixture.store.close().await;
        let mut abreast = fixture.follow(0).await;
        events.publish(stream, &stored, body, false);
        assert_eq!(abreast.next().await.unwrap().unwrap().index, 1);
        assert!(events.follow(stream, 1).await.is_ok());
        assert!(events.follow(stream, 0).await.is_err(), "the first event has been told already");
        events.doubt(stream);
        assert!(events.follow(stream, 1).await.is_err(), "what is known may be out of date");
    }

    #[tokio::test]
    async fn a_stream_begun_here_is_known_to_have_ended_and_takes_no_more_room() {
        let fixture = fixture().await;
        fixture.events.begin(fixture.stream);
        fixture.happens().await;
        fixture.ends().await;
        assert!(fixture.events.hub.latest.is_empty());
        assert_eq!(rest(fixture.follow(2).await).await, [0; 0]);
    }

    #[tokio::test]
    async fn streams_nobody_follows_take_no_room() {
        let fixture = fixture().await;
        let (one, two) = (fixture.follow(0).await, fixture.follow(0).await);
        drop(one);
        assert_eq!(fixture.events.hub.streams.len(), 1);
        drop(two);
        assert!(fixture.events.hub.streams.is_empty());
        assert!(fixture.events.follow(StreamId::from_bytes([8; 16]), 0).await.unwrap().is_none());
        assert!(fixture.events.hub.streams.is_empty(), "not even one that never was");
    }
}
