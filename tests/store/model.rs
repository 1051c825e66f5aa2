//! Any sequence of calls, compared with a small model: both must give the same answers, before and after
//! the store is opened again. Each backend has a proptest that calls `assert_told_alike` with `calls()`.

use std::collections::{BTreeMap, BTreeSet};

use portico::store::{Challenge, Scan, Store};
use proptest::prelude::*;

use crate::fixtures::*;

/// Streams are few, so that calls meet.
const STREAMS: u8 = 4;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Handshake { stream: u8 },
    Challenge { name: u8, stream: u8 },
    Scan { event_id: u8, stream: u8, one_time: bool, challenge: Option<u8> },
    Close { name: u8 },
    End { stream: u8 },
}

/// Any calls.
pub(crate) fn calls() -> impl Strategy<Value = Vec<Call>> {
    proptest::collection::vec(call(), 0..40)
}

fn call() -> impl Strategy<Value = Call> {
    let (stream, name) = (0..STREAMS, 0..6_u8);
    prop_oneof![
        3 => stream.clone().prop_map(|stream| Call::Handshake { stream }),
        2 => (name.clone(), stream.clone()).prop_map(|(name, stream)| Call::Challenge { name, stream }),
        4 => (0..8_u8, stream.clone(), any::<bool>(), proptest::option::of(name.clone())).prop_map(
            |(event_id, stream, one_time, challenge)| Call::Scan { event_id, stream, one_time, challenge }
        ),
        3 => name.prop_map(|name| Call::Close { name }),
        1 => stream.prop_map(|stream| Call::End { stream }),
    ]
}

#[derive(Default)]
struct Model {
    streams: BTreeMap<u8, Stream>,
    challenges: BTreeMap<u8, Asked>,
    scans: BTreeSet<u8>,
}

#[derive(Default)]
struct Stream {
    events: u64,
    ended: bool,
    handshake: bool,
}

struct Asked {
    stream: u8,
    open: bool,
    ends_stream: bool,
}

/// What a call does to the model: the index of the event that it stores, if any. `Err`: a conflict.
type Effect = Result<Option<u64>, ()>;

impl Model {
    fn apply(&mut self, call: Call) -> Effect {
        match call {
            Call::Handshake { stream } => self.begin(stream, Stream { handshake: true, ..Stream::default() }),
            Call::Challenge { name, stream } => {
                if self.challenges.contains_key(&name) {
                    return Err(());
                }
                self.begin(stream, Stream::default())?;
                self.challenges.insert(name, Asked { stream, open: true, ends_stream: true });
                Ok(None)
            }
            Call::Scan { event_id, stream, one_time, challenge } => {
                let open = self.streams.get(&stream).is_some_and(|stream| stream.handshake);
                if self.scans.contains(&event_id) || !open {
                    return Ok(None);
                }
                if challenge.is_some_and(|name| self.challenges.contains_key(&name)) {
                    return Err(());
                }
                self.scans.insert(event_id);
                if let Some(name) = challenge {
                    self.challenges.insert(name, Asked { stream, open: true, ends_stream: one_time });
                }
                if one_time && let Some(stream) = self.streams.get_mut(&stream) {
                    stream.handshake = false;
                }
                Ok(self.append(stream, one_time && challenge.is_none()))
            }
            Call::Close { name } => {
                let Some(asked) = self.challenges.get_mut(&name).filter(|asked| asked.open) else {
                    return Ok(None);
                };
                asked.open = false;
                let (stream, last) = (asked.stream, asked.ends_stream);
                Ok(self.append(stream, last))
            }
            Call::End { stream } => Ok(self.append(stream, true)),
        }
    }

    fn begin(&mut self, name: u8, stream: Stream) -> Effect {
        if self.streams.contains_key(&name) {
            return Err(());
        }
        self.streams.insert(name, stream);
        Ok(None)
    }

    fn append(&mut self, name: u8, last: bool) -> Option<u64> {
        let stream = self.streams.get_mut(&name).filter(|stream| !stream.ended)?;
        stream.events += 1;
        if last {
            (stream.ended, stream.handshake) = (true, false);
            for asked in self.challenges.values_mut().filter(|asked| asked.stream == name) {
                asked.open = false;
            }
        }
        Some(stream.events)
    }
}

async fn perform(store: &dyn Store, call: Call) -> Effect {
    let last = event("last", 300);
    let outcome = match call {
        Call::Handshake { stream: n } => store.open_handshake(&handshake(stream(n))).await.map(|()| None),
        Call::Challenge { name, stream: n } => {
            store.open_challenge(&challenge(&name.to_string(), stream(n))).await.map(|()| None)
        }
        Call::Scan { event_id, stream: n, one_time, challenge: name } => {
            let challenge = name
                .map(|name| Challenge { ends_stream: one_time, ..challenge(&name.to_string(), stream(n)) });
            let scan = Scan { one_time, challenge, ..scan(event_id, &[stream(n)]) };
            let stored = store.record_scan(&scan).await;
            stored.map(|stored| stored.and_then(|stored| stored.into_iter().next()).map(|(_, event)| event))
        }
        Call::Close { name } => {
            let closed = store.close_challenge(&name.to_string(), &last, None).await;
            closed.map(|closed| closed.map(|(event, _)| event))
        }
        Call::End { stream: n } => store.end_stream(stream(n), &last).await,
    };
    outcome.map(|event| event.map(|event| event.index)).map_err(drop)
}

async fn assert_alike(store: &dyn Store, model: &Model) {
    for n in 0..STREAMS {
        let page = store.events_after(stream(n), 0, 1_000).await.unwrap();
        let page = page.map(|page| (page.events.len() as u64, page.ended));
        assert_eq!(page, model.streams.get(&n).map(|stream| (stream.events, stream.ended)));
    }
    let open = recovered(store).await;
    let handshakes: Vec<_> = open.handshakes.iter().map(|handshake| handshake.stream).collect();
    let expected = model.streams.iter().filter(|(_, stream)| stream.handshake);
    assert_eq!(handshakes, expected.map(|(n, _)| stream(*n)).collect::<Vec<_>>());
    let challenges: Vec<_> = open.challenges.into_iter().map(|challenge| challenge.challenge).collect();
    let expected = model.challenges.iter().filter(|(_, asked)| asked.open);
    assert_eq!(challenges, expected.map(|(name, _)| name.to_string()).collect::<Vec<_>>());
    assert_eq!(open.asked.len(), model.challenges.len());
}

/// Performs these calls on the stores that `open` opens, one after the other, with the same content.
pub(crate) async fn assert_told_alike(calls: Vec<Call>, open: impl AsyncFn() -> Box<dyn Store>) {
    let mut model = Model::default();
    let store = open().await;
    for call in calls {
        assert_eq!(perform(&*store, call).await, model.apply(call), "{call:?}");
    }
    assert_alike(&*store, &model).await;
    store.close().await;
    let store = open().await;
    assert_alike(&*store, &model).await;
    store.close().await;
}
