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
    /// The user's main key, or the key that scanned.
    user: PublicKey,
    /// Whether a scan named the user, and no caller.
    scanned: bool,
    /// If the key that answers has proven before to be a subkey of the user: when that proof expires.
    proven_until: Option<Timestamp>,
}

impl Asked {
    /// The user that `author` answers for: as the main key, or as a subkey with a proof that is valid now. That a
    /// caller named the subkey is no proof.
    ///
    /// A wallet on a subkey scans with the subkey, and only its answer says who the user is: the main key in the proof.
    /// If a caller named the key, the caller decided who the user is.
    fn answered_by(
        &self,
        author: PublicKey,
        proof: Option<&SubkeyProof>,
        now: Timestamp,
    ) -> Result<WalletLogin, &'static str> {
        let user = match proof {
            Some(proof) if author == self.user && self.scanned => proof.main_key,
            _ => self.user,
        };
        let as_key_until = |until| WalletLogin { signer: author, user, until };
        if author == user {
            return Ok(as_key_until(None));
        }
        match proof.map(|proof| (proof, proof.verify(&author, &user, now.secs()))) {
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

fn known(key: PublicKey, proof: &SubkeyProof, seen_at: Timestamp) -> Option<KnownSubkey> {
    Some(KnownSubkey { key, proof: serde_json::to_string(proof).ok()?, seen_at })
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
                        return Some(Ending { challenge, outcome, vouched: None, subkey: None });
                    }
                }
            }
        };
        // One that was proven before is stored already.
        let is_new = challenge.progress().proven_until(&author).is_none();
        let proof = response.subkey_proof.filter(|_| wallet.until.is_some() && is_new);
        let subkey = proof.and_then(|proof| known(author, &proof, self.clock.now()));
        let outcome = EventBody::AuthenticateKey {
            user_key: wallet.user,
            recipient: author,
            challenge: response.challenge,
            status: response.status,
            session: vouched.map(|vouched| vouched.claims),
            login: None,
        };
        Some(Ending { challenge, outcome, vouched, subkey: subkey.map(|subkey| (wallet.user, subkey)) })
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
        let asked = Asked { user: challenge.user, scanned: challenge.is_login, proven_until };
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
        let subkey = known(author, proof, now).ok_or(PortalError::Seal)?;
        self.store.remember_subkey(&challenge.user, &subkey, MAX_SUBKEYS).await?;
        challenge.progress().prove(author, until(proof));
        if self.registry.ask_also(challenge, author, event.id) {
            self.challenger.publish(challenge, Arc::new(event), Vec::new());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nostr_sdk::Keys;

    use super::*;
    use crate::protocol::{Permission, SubkeyMetadata, derive_public};

    /// A subkey of `main` that expires at 200 seconds, and its proof.
    fn subkey_of(main: PublicKey) -> (PublicKey, SubkeyProof) {
        let metadata = SubkeyMetadata {
            name: "phone".to_owned().try_into().unwrap(),
            nonce: [7; 32],
            valid_from: 100,
            expires_at: 200,
            permissions: vec![Permission::Auth],
            version: 1,
        };
        (derive_public(&main, &metadata).unwrap(), SubkeyProof { main_key: main, metadata })
    }

    #[test]
    fn a_subkey_answers_until_its_proof_expires_whenever_it_has_shown_it() {
        let main = Keys::generate().public_key();
        let (key, proof) = subkey_of(main);
        let until = Timestamp::from_secs(200);
        let wallet = WalletLogin { signer: key, user: main, until: Some(until) };
        let asked = |proven_until| Asked { user: main, scanned: false, proven_until };
        let before = Timestamp::from_millis(199_999);
        for (known, shown) in [(None, Some(&proof)), (Some(until), None), (Some(until), Some(&proof))] {
            assert_eq!(asked(known).answered_by(key, shown, before), Ok(wallet));
            assert!(asked(known).answered_by(key, shown, until).is_err(), "{known:?}");
        }
        assert!(asked(None).answered_by(key, None, before).is_err(), "a caller's word is no proof");
        let as_main = WalletLogin { signer: main, user: main, until: None };
        assert_eq!(asked(None).answered_by(main, None, until), Ok(as_main), "a main key does not expire");
    }

    #[test]
    fn a_key_that_scans_is_the_user_in_its_proof_and_never_another_one() {
        let (main, stranger) = (Keys::generate().public_key(), Keys::generate().public_key());
        let (key, proof) = subkey_of(main);
        let now = Timestamp::from_secs(150);
        let scanned = |user| Asked { user, scanned: true, proven_until: None };
        let user = |asked: Asked, key, proof, now| asked.answered_by(key, proof, now).map(|found| found.user);
        assert_eq!(user(scanned(key), key, Some(&proof), now), Ok(main));
        assert_eq!(user(scanned(key), key, None, now), Ok(key));
        assert!(user(scanned(stranger), stranger, Some(&proof), now).is_err(), "a borrowed proof");
        assert!(user(scanned(key), key, Some(&proof), Timestamp::from_secs(200)).is_err(), "an old one");
        // A caller asked for this key.
        let named = Asked { scanned: false, ..scanned(key) };
        assert_eq!(user(named, key, Some(&proof), now), Ok(key));
    }
}
