//! Handles a wallet's answer to a challenge, and the proof of a subkey that wants to be asked too.

use std::sync::Arc;

use nostr_sdk::{EventId, JsonUtil, PublicKey};

use super::challenge::{MAX_SUBKEYS, until};
use super::deadlines::Due;
use super::outcome::failure;
use super::patience::until_stored;
use super::registry::OpenChallenge;
use super::settle::Ending;
use super::{Portal, PortalError, Result};
use crate::clock::Timestamp;
use crate::events::{EventBody, FailureCode};
use crate::protocol::{AuthResponse, AuthStatus, SubkeyError, SubkeyProof};
use crate::store::{Envelope, KnownSubkey, WalletLogin};

/// What an answer is checked against.
struct Asked {
    /// The user's main key.
    user: PublicKey,
    /// If the key that answers has proven before to be a subkey of the user: when that proof expires.
    proven_until: Option<Timestamp>,
}

impl Asked {
    /// The user that `author` answers for: as the main key, or as a subkey with a proof that is valid now. That a
    /// caller named the subkey is no proof.
    fn answered_by(
        &self,
        author: PublicKey,
        proof: Option<&SubkeyProof>,
        now: Timestamp,
    ) -> Result<WalletLogin, &'static str> {
        let as_key_until = |until| WalletLogin { signer: author, user: self.user, until };
        if author == self.user {
            return Ok(as_key_until(None));
        }
        match proof.map(|proof| (proof, proof.verify(&author, &self.user, now.secs()))) {
            Some((proof, Ok(()))) => Ok(as_key_until(Some(until(proof)))),
            // A proof that is about another user says nothing here.
            None | Some((_, Err(SubkeyError::ForeignMainKey))) => match self.proven_until {
                Some(until) if now < until => Ok(as_key_until(Some(until))),
                Some(_) => Err("the subkey has expired"),
                None => Err("there is no proof for the subkey"),
            },
            Some((_, Err(_))) => Err("the subkey proof is invalid"),
        }
    }
}

impl Portal {
    /// Checks an answer to a challenge. `None`: Portico does not wait for this answer.
    pub(super) fn answered(&self, author: PublicKey, response: AuthResponse) -> Option<Ending> {
        let (challenge, wallet) = self.challenge_asked_of(&author, &response)?;
        tracing::debug!(stream_id = %challenge.stream, "challenge answered");
        self.relays.was_of_use(&author);
        let vouched = match response.status {
            AuthStatus::Declined { .. } => None,
            AuthStatus::Approved { ref session_token, .. } => {
                match self.tokens.verify_session(session_token, &wallet) {
                    Ok(vouched) => Some(vouched),
                    Err(error) => {
                        let outcome = failure(&challenge, FailureCode::SessionTokenInvalid, Some(error));
                        return Some(Ending { challenge, outcome, vouched: None });
                    }
                }
            }
        };
        let outcome = EventBody::AuthenticateKey {
            user_key: wallet.user,
            recipient: author,
            challenge: response.challenge,
            status: response.status,
            session: vouched.map(|vouched| vouched.claims),
            login: None,
        };
        Some(Ending { challenge, outcome, vouched })
    }

    /// The open challenge that `author` was asked and may answer, and the user that it answers for.
    fn challenge_asked_of(
        &self,
        author: &PublicKey,
        response: &AuthResponse,
    ) -> Option<(Arc<OpenChallenge>, WalletLogin)> {
        let challenge = self.registry.asked(author, &response.challenge)?;
        let now = self.clock.now();
        let is_late = now >= self.registry.deadlines.of(Due::Challenge(challenge.id), challenge.expires_at);
        let proven_until = challenge.progress().proven_until(author);
        let asked = Asked { user: challenge.user, proven_until };
        let trouble = match asked.answered_by(*author, response.subkey_proof.as_ref(), now) {
            _ if is_late => "it arrived after the deadline",
            Ok(wallet) => return Some((challenge, wallet)),
            Err(trouble) => trouble,
        };
        tracing::debug!(stream_id = %challenge.stream, "dropped an answer: {trouble}");
        None
    }

    /// A key that could not read its challenge proves that it is a subkey of the user: Portico sends the same
    /// challenge to it, too.
    pub(super) async fn shown_subkey(
        &self,
        author: PublicKey,
        proof: SubkeyProof,
        about: EventId,
    ) -> Result<()> {
        let Some(challenge) = self.registry.challenge_of(&about) else { return Ok(()) };
        if let Err(error) = proof.verify(&author, &challenge.user, self.clock.now().secs()) {
            tracing::debug!(stream_id = %challenge.stream, %error, "ignored a subkey proof");
            return Ok(());
        }
        self.relays.was_of_use(&author);
        until_stored(challenge.stream, || self.ask_subkey(&challenge, author, &proof)).await
    }

    /// A key has proven to be a subkey of the user: it may answer, and Portico asks it unless it was asked
    /// before.
    async fn ask_subkey(
        &self,
        challenge: &OpenChallenge,
        author: PublicKey,
        proof: &SubkeyProof,
    ) -> Result<()> {
        let now = self.clock.now();
        let _amending = challenge.amending.lock().await;
        let mut concerned: Vec<PublicKey> = challenge.progress().asked.iter().map(|(key, _)| *key).collect();
        if concerned.contains(&author) {
            // Asked already, on a caller's word: now it may answer, too.
            challenge.progress().prove(author, until(proof));
            return Ok(());
        }
        if concerned.len() > MAX_SUBKEYS {
            return Ok(());
        }
        concerned.push(author);
        let event = self.challenger.seal(challenge.id, challenge.expires_at, &author, &concerned, now)?;
        let envelope = Envelope { recipient: author, event: event.as_json() };
        let renewals = challenge.progress().renewals;
        if !self.store.put_envelope(challenge.id.as_str(), &envelope, renewals).await? {
            return Ok(());
        }
        let expires_at = until(proof);
        let proof = serde_json::to_string(proof).map_err(|_| PortalError::Seal)?;
        let subkey = KnownSubkey { key: author, proof, seen_at: now };
        self.store.remember_subkey(&challenge.user, &subkey, MAX_SUBKEYS).await?;
        challenge.progress().prove(author, expires_at);
        if self.registry.ask_also(challenge, author, event.id) {
            self.challenger.publish(challenge, Arc::new(event), Vec::new());
        }
        Ok(())
    }
}
