//! Records what the daemon accepted, and which events it reported.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// Everything that callers know.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// Streams that were opened (201), with a digest of each event that somebody saw.
    streams: BTreeMap<String, Vec<Option<String>>>,
    ended: BTreeMap<String, u64>,
    revoked: u64,
    unanswered: u64,
    refused: u64,
    trouble: Vec<String>,
}

/// More troubles than these say nothing new.
pub(crate) const MAX_TROUBLE: usize = 20;

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request was accepted: from now on it owes an end.
    pub(crate) fn accepted(&self, stream: &str) {
        self.lock().streams.entry(stream.to_owned()).or_default();
    }

    pub(crate) fn streams(&self) -> Vec<String> {
        self.lock().streams.keys().cloned().collect()
    }

    /// Somebody saw an event. Everybody who saw it before must have seen the same.
    pub(crate) fn saw(&self, stream: &str, event: &Value) {
        let index = event["index"].as_u64().unwrap_or_default() as usize;
        let mut entries = self.lock();
        let seen = entries.streams.entry(stream.to_owned()).or_default();
        if seen.len() < index {
            seen.resize(index, None);
        }
        let text = event.to_string();
        let differs = match seen.get_mut(index.wrapping_sub(1)) {
            Some(Some(first)) => *first != text,
            Some(none) => {
                *none = Some(text);
                false
            }
            None => true,
        };
        if differs {
            note(&mut entries, format!("{stream}: another event under index {index}"));
        }
    }

    /// A stream came to this end.
    pub(crate) fn ended(&self, how: &str) {
        *self.lock().ended.entry(how.to_owned()).or_default() += 1;
    }

    /// A token was revoked, and stays so.
    pub(crate) fn revoked(&self) {
        self.lock().revoked += 1;
    }

    /// The daemon died under a request, or was not there.
    pub(crate) fn unanswered(&self) {
        self.lock().unanswered += 1;
    }

    /// The daemon said that it cannot, now.
    pub(crate) fn refused(&self) {
        self.lock().refused += 1;
    }

    /// Something is not as it must be.
    pub(crate) fn wrong(&self, what: String) {
        eprintln!("soak: {what}");
        note(&mut self.lock(), what);
    }

    pub(crate) fn trouble(&self) -> Vec<String> {
        self.lock().trouble.clone()
    }

    pub(crate) fn figures(&self) -> Value {
        let entries = self.lock();
        json!({
            "accepted": entries.streams.len(), "ended": entries.ended, "revoked": entries.revoked,
            "unanswered": entries.unanswered, "refused": entries.refused,
        })
    }
}

fn note(entries: &mut Entries, what: String) {
    if entries.trouble.len() < MAX_TROUBLE {
        entries.trouble.push(what);
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.lock();
        let ended: u64 = entries.ended.values().sum();
        let (accepted, unanswered, refused) = (entries.streams.len(), entries.unanswered, entries.refused);
        write!(f, "{accepted} accepted, {ended} ended, {unanswered} unanswered, {refused} refused")
    }
}
