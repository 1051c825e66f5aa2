//! Makes challenges, seals them once for each key that is asked, and sends them.

use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{Event, JsonUtil, PublicKey, RelayUrl};
use rand::distributions::{Alphanumeric, DistString};
use rand::thread_rng;
use tokio::sync::Mutex;

use super::prompts::Prompt;
use super::registry::{ChallengeId, OpenChallenge, Progress, Slot};
use super::{PortalError, Result};
use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::protocol::{AuthChallenge, SubkeyProof};
use crate::relay::{Publication, Relays};
use crate::store::{Challenge, Envelope, KnownWallets, StreamId};

/// Subkeys that one user may have (Portal: at most 8).
pub(super) const MAX_SUBKEYS: usize = 8;

/// 32 alphanumerics that nobody can guess: a token, or the name of a challenge.
///
/// From the thread's generator: as secure as the system's, without one system call a character.
pub(super) fn random_name() -> String {
    Alphanumeric.sample_string(&mut thread_rng(), 32)
}

/// When a proof expires.
pub(super) fn until(proof: &SubkeyProof) -> Timestamp {
    Timestamp::from_secs(proof.metadata.expires_at)
}

/// The origin of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A caller named the user.
    Caller,
    /// The user scanned a login URL, which serves one user or any number of them.
    LoginUrl { one_time: bool },
}

/// A challenge that is sealed and signed, but not stored or sent yet.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) row: Challenge,
    pub(super) open: Arc<OpenChallenge>,
    events: Vec<Arc<Event>>,
}

/// Makes challenges, seals them for each key that is asked, and sends them.
#[derive(Debug)]
pub(super) struct Challenger {
    identity: Arc<Identity>,
    relays: Relays,
    wallets: Arc<dyn KnownWallets>,
    /// How long a wallet may take to answer.
    ttl: Duration,
}

impl Challenger {
    pub(super) fn new(
        identity: Arc<Identity>,
        relays: Relays,
        wallets: Arc<dyn KnownWallets>,
        ttl: Duration,
    ) -> Self {
        Self { identity, relays, wallets, ttl }
    }

    /// Makes the challenge of this prompt, for its keys and for every known subkey of the user.
    /// It is published on `relays`, too. Deadlines count from `now`.
    pub(super) async fn prepare(
        &self,
        now: Timestamp,
        stream: StreamId,
        prompt: &Prompt,
        relays: Vec<RelayUrl>,
        origin: Origin,
        slot: Slot,
    ) -> Result<Prepared> {
        let is_login = matches!(origin, Origin::LoginUrl { .. });
        let ends_stream = origin != (Origin::LoginUrl { one_time: false });
        let expires_at = now.plus(self.ttl);
        let Prompt { challenge: id, keys: prompted } = prompt;
        let user = *prompted.first().ok_or(PortalError::Seal)?;
        let proven = self.proven_subkeys(&user, now).await?;
        let mut recipients = prompted.clone();
        for (key, _) in &proven {
            if recipients.len() <= MAX_SUBKEYS && !recipients.contains(key) {
                recipients.push(*key);
            }
        }

        let mut envelopes = Vec::with_capacity(recipients.len());
        let mut asked = Vec::with_capacity(recipients.len());
        let mut events = Vec::with_capacity(recipients.len());
        for recipient in &recipients {
            let event = self.seal(*id, expires_at, recipient, &recipients, now)?;
            asked.push((*recipient, event.id));
            envelopes.push(Envelope { recipient: *recipient, event: event.as_json() });
            events.push(Arc::new(event));
        }
        let open = OpenChallenge {
            id: *id,
            stream,
            user,
            prompted: prompted.as_slice().into(),
            relays: relays.clone(),
            created_at: now,
            expires_at,
            ends_stream,
            is_login,
            progress: Progress { asked, proven, ..Progress::default() }.into(),
            amending: Mutex::default(),
            _slot: slot,
        };
        let row = Challenge {
            challenge: id.as_str().to_owned(),
            stream,
            user,
            relays: relays.iter().map(RelayUrl::to_string).collect(),
            envelopes,
            renewals: 0,
            ends_stream,
            is_login,
            created_at: now,
            expires_at,
        };
        Ok(Prepared { row, open: Arc::new(open), events })
    }

    /// Registers a stored challenge, then sends it, so that a fast answer finds its challenge.
    pub(super) fn send(&self, prepared: Prepared) {
        let Prepared { open, events, .. } = prepared;
        tracing::debug!(stream_id = %open.stream, keys = events.len(), "challenge sent");
        for event in events {
            self.publish(&open, event, Vec::new());
        }
    }

    /// Publishes an event of a challenge until the challenge ends, only on the given relays if any are given.
    pub(super) fn publish(&self, challenge: &OpenChallenge, event: Arc<Event>, only: Vec<RelayUrl>) {
        let also = challenge.relays.clone();
        self.relays.publish(Publication { event, also, only, expires_at: challenge.expires_at });
    }

    /// The event that asks `recipient` this challenge. It names all keys that receive it.
    pub(super) fn seal(
        &self,
        id: ChallengeId,
        expires_at: Timestamp,
        recipient: &PublicKey,
        concerned: &[PublicKey],
        now: Timestamp,
    ) -> Result<Event> {
        let message = AuthChallenge {
            challenge: id.as_str().to_owned(),
            expires_at: expires_at.secs(),
            required_permissions: Vec::new(),
            subkey_proof: self.identity.proof.clone(),
        };
        self.identity
            .sealer
            .seal(&mut thread_rng(), recipient, concerned, None, &message, now.secs())
            .map_err(|_| PortalError::Seal)
    }

    /// The user's subkeys with a proof that is still valid, and when it expires.
    async fn proven_subkeys(&self, user: &PublicKey, now: Timestamp) -> Result<Vec<(PublicKey, Timestamp)>> {
        let known = self.wallets.subkeys(user).await?;
        let proven = known.iter().filter_map(|subkey| {
            let proof: SubkeyProof = serde_json::from_str(&subkey.proof).ok()?;
            proof.verify(&subkey.key, user, now.secs()).ok().map(|()| (subkey.key, until(&proof)))
        });
        Ok(proven.collect())
    }
}
