//! What is waited for, in memory: a cache of what the store says is open, made for one hash look-up per
//! incoming event however many requests are open.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use nostr_sdk::{Event, EventId, Kind, PublicKey, RelayUrl};

use super::deadlines::{Deadlines, Due};
use super::open_urls::OpenUrls;
use crate::clock::Timestamp;
use crate::config::AuthLimits;
use crate::metrics::Limit;
use crate::protocol::kind;
use crate::relay::{Gate, Interest};
use crate::store::{Handshake, StreamId};

/// A challenge by its 32 alphanumerics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ChallengeId([u8; 32]);

impl ChallengeId {
    /// `None`: no challenge of ours looks like this.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }

    pub(super) fn as_str(&self) -> &str {
        // Only ASCII passes `parse`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for ChallengeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Room for one open request; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A handshake URL that waits to be scanned.
#[derive(Debug)]
pub(super) struct OpenHandshake {
    pub(super) row: Handshake,
    /// When it was scanned lately and by whom, the oldest first.
    scans: Mutex<VecDeque<(Timestamp, PublicKey)>>,
    /// Shared by scans that are being recorded, and held by what ends the stream: neither must see the other half
    /// done, in the store already and in memory not yet.
    pub(super) recording: tokio::sync::RwLock<()>,
    _slot: Slot,
}

impl OpenHandshake {
    pub(super) fn new(row: Handshake, slot: Slot) -> Self {
        Self { row, scans: Mutex::default(), recording: tokio::sync::RwLock::default(), _slot: slot }
    }

    /// Counts a scan, if there is room for one more within the life of a challenge. So no more challenges
    /// of this URL are open than it may be scanned: those who know it cannot take everybody's room. And nobody
    /// takes more of the URL's own room than they may be prompted.
    pub(super) fn count_scan(
        &self,
        user: PublicKey,
        now: Timestamp,
        limits: &AuthLimits,
    ) -> Result<(), Limit> {
        let mut scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        let start = now.minus(limits.challenge_ttl);
        // Who scanned while the clock was ahead takes no room until it is there again.
        if scans.back().is_some_and(|(at, _)| *at > now) {
            scans.iter_mut().for_each(|(at, _)| *at = (*at).min(now));
        }
        while scans.front().is_some_and(|(at, _)| *at <= start) {
            scans.pop_front();
        }
        if scans.len() >= limits.max_scans_per_url {
            return Err(Limit::ScansPerUrl);
        }
        if scans.iter().filter(|(_, by)| *by == user).count() >= limits.max_prompts_per_user {
            return Err(Limit::PromptsPerUser);
        }
        scans.push_back((now, user));
        Ok(())
    }
}

/// A challenge that waits for its answer.
#[derive(Debug)]
pub(super) struct OpenChallenge {
    pub(super) id: ChallengeId,
    pub(super) stream: StreamId,
    pub(super) user: PublicKey,
    /// Whose prompts it counts among: the user, and subkeys that the caller named.
    pub(super) prompted: Box<[PublicKey]>,
    pub(super) relays: Vec<RelayUrl>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) ends_stream: bool,
    /// Whether its approval begins a session.
    pub(super) is_login: bool,
    pub(super) progress: Mutex<Progress>,
    /// Held while a key more is asked or an event is signed anew: what was seen must still hold when the
    /// store has kept what follows from it.
    pub(super) amending: tokio::sync::Mutex<()>,
    pub(super) _slot: Slot,
}

/// What changes while a challenge is open.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The keys that were asked, each with the latest event that asked it.
    pub(super) asked: Vec<(PublicKey, EventId)>,
    /// The subkeys among them that have proven to be the user's.
    pub(super) proven: Vec<PublicKey>,
    /// How often an event was signed anew.
    pub(super) renewals: u8,
    /// Events that newer ones took the place of. They still count: they are out there.
    pub(super) retired: Vec<Retired>,
    /// Whether an outcome is being written: no second one is looked at.
    pub(super) settling: bool,
    /// Whether it has ended: nothing more is asked in its name.
    pub(super) ended: bool,
}

impl Progress {
    /// A key that is asked has proven to be a subkey of the user's.
    pub(super) fn prove(&mut self, key: PublicKey) {
        if !self.proven.contains(&key) {
            self.proven.push(key);
        }
    }
}

/// An event that a newer one took the place of, on the relays that found it too old.
#[derive(Debug)]
pub(super) struct Retired {
    pub(super) event: EventId,
    pub(super) by: Arc<Event>,
    pub(super) on: Vec<RelayUrl>,
}

impl OpenChallenge {
    /// The event that took the place of `old`, and the relays that need it: one more now.
    pub(super) fn successor_of(&self, old: EventId, on: &RelayUrl) -> Option<(Arc<Event>, Vec<RelayUrl>)> {
        let mut progress = self.progress();
        let retired = progress.retired.iter_mut().find(|retired| retired.event == old)?;
        if !retired.on.contains(on) {
            retired.on.push(on.clone());
        }
        Some((Arc::clone(&retired.by), retired.on.clone()))
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this key was asked.
    pub(super) fn asks(&self, key: &PublicKey) -> bool {
        self.progress().asked.iter().any(|(asked, _)| asked == key)
    }
}

/// Everything that is open, by what an incoming event can name: a cache of the store's open requests, valid while this
/// process is the only one that opens them. With several, a token that is not here must be looked up in the store
/// before a scan is dropped.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) urls: OpenUrls,
    by_stream: DashMap<StreamId, Arc<OpenHandshake>>,
    challenges: DashMap<ChallengeId, Arc<OpenChallenge>>,
    /// Keys from whom an answer is wanted, with the number of challenges that want one.
    wanted: DashMap<PublicKey, usize>,
    /// Our own events, for proofs and refusals that name them.
    events: DashMap<EventId, ChallengeId>,
    pub(super) deadlines: Deadlines,
    open: Arc<AtomicUsize>,
}

impl Registry {
    /// Takes room for one more request, if fewer than `max` are open.
    pub(super) fn reserve(&self, max: usize) -> Option<Slot> {
        let slot = Slot(Arc::clone(&self.open));
        // The slot gives back what it took, whether it is handed out or not.
        (self.open.fetch_add(1, Ordering::Relaxed) < max).then_some(slot)
    }

    /// Takes room for what was let in before (a request from before a restart), or for what takes the place of
    /// another: the challenge of a one-time URL, or the newest stream of a static token.
    pub(super) fn keep_room(&self) -> Slot {
        self.open.fetch_add(1, Ordering::Relaxed);
        Slot(Arc::clone(&self.open))
    }

    pub(super) fn add_handshake(&self, handshake: Arc<OpenHandshake>) {
        let row = &handshake.row;
        if let Some(expires_at) = row.expires_at {
            self.deadlines.add(expires_at, Due::Handshake(row.stream));
        }
        self.by_stream.insert(row.stream, Arc::clone(&handshake));
        self.urls.add(handshake);
    }

    pub(super) fn remove_handshake(&self, stream: StreamId) -> Option<Arc<OpenHandshake>> {
        let (_, handshake) = self.by_stream.remove(&stream)?;
        let row = &handshake.row;
        if let Some(expires_at) = row.expires_at {
            self.deadlines.remove(expires_at, Due::Handshake(stream));
        }
        self.urls.remove(row);
        Some(handshake)
    }

    pub(super) fn handshake(&self, stream: StreamId) -> Option<Arc<OpenHandshake>> {
        self.by_stream.get(&stream).map(|found| Arc::clone(&found))
    }

    pub(super) fn add_challenge(&self, challenge: Arc<OpenChallenge>) {
        self.deadlines.add(challenge.expires_at, Due::Challenge(challenge.id));
        for (key, event) in &challenge.progress().asked {
            *self.wanted.entry(*key).or_default() += 1;
            self.events.insert(*event, challenge.id);
        }
        self.challenges.insert(challenge.id, challenge);
    }

    /// One more key is asked the same challenge; `false`: it has ended meanwhile.
    pub(super) fn ask_also(&self, challenge: &OpenChallenge, key: PublicKey, event: EventId) -> bool {
        let mut progress = challenge.progress();
        if progress.ended {
            return false;
        }
        progress.asked.push((key, event));
        *self.wanted.entry(key).or_default() += 1;
        self.events.insert(event, challenge.id);
        true
    }

    /// A key is asked by a new event in place of an old one, on one relay; `false`: the challenge has ended
    /// meanwhile.
    pub(super) fn renew(
        &self,
        challenge: &OpenChallenge,
        old: EventId,
        new: &Arc<Event>,
        on: &RelayUrl,
    ) -> bool {
        let mut progress = challenge.progress();
        if progress.ended {
            return false;
        }
        progress.renewals += 1;
        progress.retired.push(Retired { event: old, by: Arc::clone(new), on: vec![on.clone()] });
        for (_, event) in &mut progress.asked {
            if *event == old {
                *event = new.id;
            }
        }
        self.events.insert(new.id, challenge.id);
        true
    }

    /// Takes a challenge out; returns it with the events that asked it, for the relays to forget.
    pub(super) fn remove_challenge(&self, id: ChallengeId) -> Option<(Arc<OpenChallenge>, Vec<EventId>)> {
        let (_, challenge) = self.challenges.remove(&id)?;
        self.deadlines.remove(challenge.expires_at, Due::Challenge(id));
        let mut progress = challenge.progress();
        progress.ended = true;
        let mut events: Vec<EventId> = progress.asked.iter().map(|(_, event)| *event).collect();
        for (key, _) in &progress.asked {
            self.wanted.remove_if_mut(key, |_, count| {
                *count = count.saturating_sub(1);
                *count == 0
            });
        }
        events.extend(progress.retired.iter().map(|retired| retired.event));
        for event in &events {
            self.events.remove(event);
        }
        drop(progress);
        Some((challenge, events))
    }

    /// How many handshakes wait to be scanned, and how many challenges to be answered.
    pub(super) fn open(&self) -> (usize, usize) {
        (self.by_stream.len(), self.challenges.len())
    }

    pub(super) fn challenge(&self, id: ChallengeId) -> Option<Arc<OpenChallenge>> {
        self.challenges.get(&id).map(|found| Arc::clone(&found))
    }

    /// The challenge of this name, if it was asked of this key.
    pub(super) fn asked(&self, key: &PublicKey, challenge: &str) -> Option<Arc<OpenChallenge>> {
        let challenge = self.challenge(ChallengeId::parse(challenge)?)?;
        challenge.asks(key).then_some(challenge)
    }

    /// The challenge that one of our events asked.
    pub(super) fn challenge_of(&self, event: &EventId) -> Option<Arc<OpenChallenge>> {
        let id = *self.events.get(event)?;
        self.challenge(id)
    }

    /// The challenges on a stream. Looks at all that are open: for callers that cancel, not for events.
    pub(super) fn challenges_on(&self, stream: StreamId) -> Vec<Arc<OpenChallenge>> {
        self.challenges
            .iter()
            .filter(|entry| entry.value().stream == stream)
            .map(|entry| Arc::clone(entry.value()))
            .collect()
    }
}

/// What strangers send costs one look-up here before anything else is done with it.
impl Gate for Registry {
    fn interest(&self, kind: Kind, author: &PublicKey) -> Interest {
        if self.wanted.contains_key(author) {
            Interest::WaitedFor
        } else if kind == kind::KEY_HANDSHAKE && !self.by_stream.is_empty()
            || kind == kind::SUBKEY_PROOF && !self.events.is_empty()
        {
            Interest::Stranger
        } else {
            Interest::Unwanted
        }
    }

    fn admits(&self, event: &Event) -> bool {
        if event.kind == kind::AUTH_RESPONSE {
            self.wanted.contains_key(&event.pubkey)
        } else if event.kind == kind::KEY_HANDSHAKE {
            !self.by_stream.is_empty()
        } else if event.kind == kind::SUBKEY_PROOF {
            event.tags.event_ids().next().is_some_and(|id| self.events.contains_key(id))
        } else {
            false
        }
    }
}
