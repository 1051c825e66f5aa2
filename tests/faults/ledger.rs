//! What the daemon has acknowledged, and what it must therefore still know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::rest::Rest;

/// Everything that callers were told.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<Entries>,
    approved: Notify,
}

#[derive(Default)]
pub(crate) struct Entries {
    /// Streams that were opened (201), with the events of each that somebody has seen, by index.
    pub(crate) streams: BTreeMap<String, BTreeMap<u64, Value>>,
    /// … which never end by themselves.
    pub(crate) endless: BTreeSet<String>,
    /// Streams that were taken back.
    pub(crate) cancelled: Vec<String>,
    /// Tokens that were revoked.
    pub(crate) revoked: Vec<String>,
    /// Relays that were added (`true`) or removed (`false`) last, with the number of that change. One whose
    /// change is under way, or went unanswered, is not in.
    pub(crate) relays: BTreeMap<String, (bool, usize)>,
}

impl Ledger {
    pub(crate) fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap()
    }

    /// A stream was opened.
    pub(crate) fn opened(&self, stream: &str) {
        self.entries().streams.insert(stream.to_owned(), BTreeMap::new());
    }

    /// Somebody saw an event. Everybody who saw it before saw the same.
    pub(crate) fn saw(&self, stream: &str, event: &Value) {
        let index = event["index"].as_u64().unwrap();
        let mut entries = self.entries();
        let seen = entries.streams.entry(stream.to_owned()).or_default();
        let first = seen.entry(index).or_insert_with(|| event.clone());
        assert_eq!(first, event, "two events under one index of {stream}");
        if event["status"]["status"] == "approved" {
            self.approved.notify_one();
        }
    }

    /// Resolves when somebody has seen a login that was approved. For one listener.
    pub(crate) async fn approval(&self) {
        self.approved.notified().await;
    }

    /// The daemon still knows all of it: everything if `all`, else what was acknowledged lately.
    pub(crate) async fn is_kept(&self, rest: &Rest, service: &str, all: bool) {
        const LATELY: usize = 100;
        let (streams, cancelled, revoked, relays) = {
            let entries = self.entries();
            let few = |count: usize| if all { 0 } else { count.saturating_sub(LATELY) };
            // Stream ids begin with the time: the last ones are the latest.
            let streams: Vec<_> =
                entries.streams.clone().into_iter().skip(few(entries.streams.len())).collect();
            let cancelled = entries.cancelled[few(entries.cancelled.len())..].to_vec();
            let revoked = entries.revoked[few(entries.revoked.len())..].to_vec();
            (streams, cancelled, revoked, entries.relays.clone())
        };
        for (stream, seen) in streams {
            let kept = events(rest, &stream).await;
            for (index, event) in seen {
                assert_eq!(kept.get(index as usize - 1), Some(&event), "{stream}, event {index}");
            }
        }
        for stream in cancelled {
            let last = events(rest, &stream).await.pop();
            assert_eq!(last.map(|event| event["code"].clone()), Some(json!("cancelled")), "{stream}");
        }
        for token in revoked {
            assert_eq!(rest.verify(service, &token).await.refusal().1, "token_revoked");
        }
        let listed = rest.get("/relays").await.data();
        let listed: Vec<_> = listed["relays"].as_array().unwrap().iter().map(|one| &one["relay"]).collect();
        let unchanged = self.entries().relays.clone();
        for (relay, change) in
            relays.into_iter().filter(|(relay, change)| unchanged.get(relay) == Some(change))
        {
            assert_eq!(listed.contains(&&json!(relay)), change.0, "{relay}: {listed:?}");
        }
    }
}

/// All events of a stream: numbered without gaps, and an outcome comes once and last.
pub(crate) async fn events(rest: &Rest, stream: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let page = rest.get(&format!("/events/{stream}?after={}", events.len())).await.data();
        let more = page["events"].as_array().unwrap();
        if more.is_empty() {
            break;
        }
        events.extend(more.iter().cloned());
    }
    for (event, index) in events.iter().zip(1..) {
        assert_eq!(event["index"], index, "{stream}");
    }
    events
}

/// How many outcomes these events hold.
pub(crate) fn outcomes(events: &[Value]) -> usize {
    events.iter().filter(|event| event["type"] != "key_handshake").count()
}
