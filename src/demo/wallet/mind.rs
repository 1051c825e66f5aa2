//! Decides a wallet's reaction to an event. No network: events in, a [`Reaction`] out.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nostr_sdk::{Event, EventId, Keys, PublicKey};
use rand::rngs::OsRng;

use super::answer::{ChallengeSeen, WalletAnswer, WalletReply};
use crate::clock::SharedClock;
use crate::protocol::{
    AuthChallenge, KeyHandshake, Message, OpenError, SealError, Sealer, SubkeyProof, kind,
};

/// The number of cached conversation keys: a wallet talks to few services.
const CONVERSATIONS: usize = 64;

/// The reaction to an event.
#[derive(Debug)]
pub(super) enum Reaction {
    /// Nothing.
    Nothing,
    /// Send this: the challenge was sealed to our main key, and we can only read events sealed to our own key.
    Prove(Box<Event>),
    /// Ask the user.
    Ask(Box<ChallengeSeen>),
}

/// The wallet without its connections.
#[derive(Debug)]
pub(super) struct Mind {
    pub(super) keys: Keys,
    pub(super) proof: Option<SubkeyProof>,
    pub(super) token_lifetime: Duration,
    pub(super) clock: SharedClock,
    pub(super) answer: Mutex<WalletAnswer>,
    sealer: Sealer,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    events: HashSet<EventId>,
    challenges: HashSet<String>,
}

impl Mind {
    pub(super) fn new(
        keys: Keys,
        proof: Option<SubkeyProof>,
        token_lifetime: Duration,
        clock: SharedClock,
        answer: WalletAnswer,
    ) -> Self {
        let sealer = Sealer::new(keys.clone(), CONVERSATIONS);
        Self { keys, proof, token_lifetime, clock, answer: answer.into(), sealer, seen: Mutex::default() }
    }

    /// The key that the user is known by.
    pub(super) fn user_key(&self) -> PublicKey {
        self.proof.as_ref().map_or(self.keys.public_key(), |proof| proof.main_key)
    }

    /// The number of challenges that reached the user.
    pub(super) fn challenges_seen(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).challenges.len()
    }

    /// Decides the reaction to an event. Each event counts once, and each challenge reaches the user once.
    pub(super) fn hear(&self, event: &Event) -> Reaction {
        if event.kind != kind::AUTH_CHALLENGE || event.verify().is_err() {
            return Reaction::Nothing;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.events.insert(event.id) {
            return Reaction::Nothing;
        }
        match self.sealer.open(event).map(|opened| opened.message) {
            Ok(Message::AuthChallenge(challenge)) => match self.check(event, challenge) {
                Some(asked) if seen.challenges.insert(asked.challenge.challenge.clone()) => {
                    Reaction::Ask(Box::new(asked))
                }
                _ => Reaction::Nothing,
            },
            Err(OpenError::Foreign) => {
                self.prove(event).map_or(Reaction::Nothing, |proof| Reaction::Prove(Box::new(proof)))
            }
            _ => Reaction::Nothing,
        }
    }

    /// Checks a challenge before the user sees it: it has not expired, and a service on a
    /// subkey has a proof.
    fn check(&self, event: &Event, challenge: AuthChallenge) -> Option<ChallengeSeen> {
        let at = self.clock.now();
        if at.secs() >= challenge.expires_at {
            return None;
        }
        let service = match &challenge.subkey_proof {
            None => event.pubkey,
            Some(proof) => {
                proof.verify(&event.pubkey, &proof.main_key, at.secs()).ok()?;
                proof.main_key
            }
        };
        Some(ChallengeSeen { event: event.clone(), challenge, service, at })
    }

    fn prove(&self, unreadable: &Event) -> Option<Event> {
        let (proof, now) = (self.proof.as_ref()?, self.clock.now().secs());
        let to = unreadable.pubkey;
        self.sealer.seal(&mut OsRng, &to, &[to], Some(unreadable.id), proof, now).ok()
    }

    /// The user's answer to challenges from now on.
    pub(super) fn answer(&self) -> WalletAnswer {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The events of the user's answer, after its delay.
    pub(super) fn reply(&self, seen: &ChallengeSeen, answer: WalletAnswer) -> Result<Vec<Event>, SealError> {
        let replies = match answer {
            WalletAnswer::After(_, answer) => return self.reply(seen, *answer),
            WalletAnswer::Approve => {
                let token = seen.session_token(&self.keys, self.token_lifetime);
                vec![WalletReply::Response(seen.approve(token, self.proof.clone()))]
            }
            WalletAnswer::Decline(reason) => {
                vec![WalletReply::Response(seen.decline(reason, self.proof.clone()))]
            }
            WalletAnswer::Ignore => Vec::new(),
            WalletAnswer::Custom(make_up) => make_up(seen),
        };
        let (to, concerned, now) = (seen.event.pubkey, seen.concerned(), self.clock.now().secs());
        let seal = |reply| match reply {
            WalletReply::Event(event) => Ok(*event),
            WalletReply::Response(response) => {
                self.sealer.seal(&mut OsRng, &to, &concerned, None, &response, now)
            }
        };
        replies.into_iter().map(seal).collect()
    }

    /// The event that says "I scanned your URL".
    pub(super) fn handshake(&self, to: &PublicKey, handshake: &KeyHandshake) -> Result<Event, SealError> {
        self.sealer.seal(&mut OsRng, to, &[*to], None, handshake, self.clock.now().secs())
    }
}
