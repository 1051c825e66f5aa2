//! The open requests in memory: a cache of the store. An incoming event costs one hash look-up, however many
//! requests are open.

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
    /// `None`: it does not look like a challenge of Portico.
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

/// A handshake URL that waits for a scan.
#[derive(Debug)]
pub(super) struct OpenHandshake {
    pub(super) row: Handshake,
    /// The recent scans, with time and user, the oldest first.
    scans: Mutex<VecDeque<(Timestamp, PublicKey)>>,
    /// Shared by scans that are being stored, and exclusive for ending the stream: neither must see the other
    /// when it is stored and not yet in memory.
    pub(super) recording: tokio::sync::RwLock<()>,
    _slot: Slot,
}

impl OpenHandshake {
    pub(super) fn new(row: Handshake, slot: Slot) -> Self {
        Self { row, scans: Mutex::default(), recording: tokio::sync::RwLock::default(), _slot: slot }
    }

    /// Counts a scan, if there is room for one more within `auth.challenge_ttl`. So a URL has at most as many
    /// open challenges as it may have scans, and an attacker who knows it cannot use up the room of other
    /// URLs. Nor can one user take more of the URL's room than their limit of prompts.
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
    /// The keys that the prompt counts for: the user, and subkeys that the caller named.
    pub(super) prompted: Box<[PublicKey]>,
    pub(super) relays: Vec<RelayUrl>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) ends_stream: bool,
    /// Whether its approval begins a session.
    pub(super) is_login: bool,
    pub(super) progress: Mutex<Progress>,
    /// Held while another key is asked or an event is signed again: the check must still hold after the store
    /// has saved the result.
    pub(super) amending: tokio::sync::Mutex<()>,
    pub(super) _slot: Slot,
}

/// What changes while a challenge is open.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The keys that were asked, each with the latest event that asked it.
    pub(super) asked: Vec<(PublicKey, EventId)>,
    /// The subkeys among them that are proven to be the user's, each with the expiry of its proof.
    pub(super) proven: Vec<(PublicKey, Timestamp)>,
    /// How often an event was signed again.
    pub(super) renewals: u8,
    /// Events that were replaced by newer ones. They still count, because wallets may have them.
    pub(super) retired: Vec<Retired>,
    /// Whether an outcome is being stored: no second one is accepted.
    pub(super) settling: bool,
    /// Whether the challenge has ended: nothing more is sent for it.
    pub(super) ended: bool,
}

impl Progress {
    /// A key that was asked is now proven to be a subkey of the user.
    pub(super) fn prove(&mut self, key: PublicKey, until: Timestamp) {
        if self.proven_until(&key).is_none() {
            self.proven.push((key, until));
        }
    }

    /// When the proof of this subkey expires, if it has shown one.
    pub(super) fn proven_until(&self, key: &PublicKey) -> Option<Timestamp> {
        // The expiry is part of what the key is derived from: a key has one.
        self.proven.iter().find(|(proven, _)| proven == key).map(|(_, until)| *until)
    }
}

/// An event that was replaced on the relays that found it too old.
#[derive(Debug)]
pub(super) struct Retired {
    pub(super) event: EventId,
    pub(super) by: Arc<Event>,
    pub(super) on: Vec<RelayUrl>,
}

impl OpenChallenge {
    /// The replacement of `old`, and the relays that need it: now one more.
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

/// All open requests, by what an incoming event can name: a cache of the store, valid while this process is
/// the only one that opens requests. With several processes, a token that is not here must be looked up in
/// the store before a scan is dropped.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) urls: OpenUrls,
    by_stream: DashMap<StreamId, Arc<OpenHandshake>>,
    challenges: DashMap<ChallengeId, Arc<OpenChallenge>>,
    /// Keys with an expected answer, and the number of challenges that expect one.
    wanted: DashMap<PublicKey, usize>,
    /// Portico's own events, for proofs and refusals that name them.
    events: DashMap<EventId, ChallengeId>,
    pub(super) deadlines: Deadlines,
    open: Arc<AtomicUsize>,
}

impl Registry {
    /// Reserves room for one more request, if fewer than `max` are open.
    pub(super) fn reserve(&self, max: usize) -> Option<Slot> {
        let slot = Slot(Arc::clone(&self.open));
        // The slot gives back what it took, whether it is handed out or not.
        (self.open.fetch_add(1, Ordering::Relaxed) < max).then_some(slot)
    }

    /// Reserves room without a limit, for a request from before a restart, or for one that replaces another:
    /// the challenge of a one-time URL, or the newest stream of a static token.
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

    /// Asks one more key the same challenge. Returns `false` if it has ended meanwhile.
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

    /// Asks a key by a new event in place of an old one, on one relay. Returns `false` if the challenge has
    /// ended meanwhile.
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

    /// Removes a challenge; returns it with its events, so that their publication can end.
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

    /// The number of open handshakes and of open challenges.
    pub(super) fn open(&self) -> (usize, usize) {
        (self.by_stream.len(), self.challenges.len())
    }

    pub(super) fn challenge(&self, id: ChallengeId) -> Option<Arc<OpenChallenge>> {
        self.challenges.get(&id).map(|found| Arc::clone(&found))
    }

    /// The challenge with this name, if it was sent to this key.
    pub(super) fn asked(&self, key: &PublicKey, challenge: &str) -> Option<Arc<OpenChallenge>> {
        let challenge = self.challenge(ChallengeId::parse(challenge)?)?;
        challenge.asks(key).then_some(challenge)
    }

    /// The challenge that this event of Portico asked.
    pub(super) fn challenge_of(&self, event: &EventId) -> Option<Arc<OpenChallenge>> {
        let id = *self.events.get(event)?;
        self.challenge(id)
    }

    /// The challenges on a stream. Searches all open ones: for callers that cancel, not for events.
    pub(super) fn challenges_on(&self, stream: StreamId) -> Vec<Arc<OpenChallenge>> {
        self.challenges
            .iter()
            .filter(|entry| entry.value().stream == stream)
            .map(|entry| Arc::clone(entry.value()))
            .collect()
    }
}

/// Every input of a stranger costs one look-up here before anything else is done with it.
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
