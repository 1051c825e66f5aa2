//! What wallets send: opened, matched with what waits for it, judged.
//!
//! The relay layer has checked the event's id and signature and that somebody here may want it. Nothing
//! else about it is believed: author, recipient, challenge, proof and token are all checked here.

use std::sync::Arc;

use nostr_sdk::{Event, EventId, JsonUtil, PublicKey};
use rand::rngs::OsRng;

use super::challenge::{MAX_SUBKEYS, Prepared};
use super::registry::{OpenChallenge, OpenHandshake};
use super::{Auth, AuthError, Result};
use crate::events::{EventBody, FailureCode};
use crate::protocol::{
    AuthResponse, AuthStatus, KeyHandshake, Message, OpenError, SubkeyError, SubkeyProof, kind,
};
use crate::relay::{Publication, Signal};
use crate::store::{Envelope, HandshakeKind, KnownSubkey, Scan, WalletLogin};

impl Auth {
    /// Handles one signal from the relays.
    pub(super) async fn handle(self: &Arc<Self>, signal: Signal) {
        let result = match signal {
            Signal::Event { event, .. } => self.handle_event(&event).await,
            Signal::Refused { event_id, relay, reason, too_old } => {
                tracing::debug!(%relay, event = %event_id, reason, "a relay refused an event");
                if too_old { self.renew(event_id, relay).await } else { Ok(()) }
            }
        };
        if let Err(error) = result {
            tracing::error!(%error, "a wallet's message could not be handled");
        }
    }

    async fn handle_event(self: &Arc<Self>, event: &Event) -> Result<()> {
        let opened = match self.identity.sealer.open(event) {
            Ok(opened) => opened,
            Err(OpenError::Foreign) => return self.answer_unreadable(event),
            Err(error) => {
                tracing::debug!(event = %event.id, kind = event.kind.as_u16(), %error, "dropped");
                return Ok(());
            }
        };
        match opened.message {
            Message::KeyHandshake(handshake) => self.scanned(event, handshake).await,
            Message::AuthResponse(response) => {
                self.answered(opened.author, response);
                Ok(())
            }
            Message::SubkeyProof { proof, about: Some(about) } => {
                self.shown_subkey(opened.author, proof, about).await
            }
            Message::SubkeyProof { about: None, .. } | Message::AuthChallenge(_) => Ok(()),
        }
    }

    /// An answer that we cannot read, from a wallet that we asked, was sealed to our main key: our proof
    /// tells the wallet to send it to the subkey that we run on.
    fn answer_unreadable(&self, event: &Event) -> Result<()> {
        let Some(proof) = &self.identity.proof else { return Ok(()) };
        if event.kind != kind::AUTH_RESPONSE {
            return Ok(());
        }
        let now = self.clock.now();
        let wallet = event.pubkey;
        let reply = self
            .identity
            .sealer
            .seal(&mut OsRng, &wallet, &[wallet], Some(event.id), proof, now.secs())
            .map_err(|_| AuthError::Seal)?;
        self.relays.publish(Publication {
            event: Arc::new(reply),
            also: Vec::new(),
            only: None,
            expires_at: now.plus(self.limits.challenge_ttl),
        });
        Ok(())
    }

    /// A wallet scanned a handshake URL.
    async fn scanned(self: &Arc<Self>, event: &Event, handshake: KeyHandshake) -> Result<()> {
        let waiting = self.registry.handshakes(&handshake.token);
        let Some(first) = waiting.first().cloned() else { return Ok(()) };
        if !self.is_recent(event) {
            tracing::debug!(event = %event.id, "dropped a scan with a time far from ours");
            return Ok(());
        }
        match first.row.kind {
            HandshakeKind::Handshake => self.record_scan(event, &waiting, handshake, None).await,
            HandshakeKind::Login => self.scanned_login(event, &first, handshake).await,
        }
    }

    /// A wallet scanned a login URL: the challenge follows at once.
    async fn scanned_login(
        self: &Arc<Self>,
        event: &Event,
        login: &Arc<OpenHandshake>,
        handshake: KeyHandshake,
    ) -> Result<()> {
        let (stream, one_time) = (login.row.stream, login.row.expires_at.is_some());
        match self.challenge_scanner(event, login, handshake).await {
            Err(error @ AuthError::LimitReached { .. }) => {
                tracing::warn!(%stream, %error, "a login was scanned, but its user cannot be asked now");
                if one_time {
                    self.end_stream(stream, FailureCode::TooManyRequests).await?;
                }
                Ok(())
            }
            result => result,
        }
    }

    async fn challenge_scanner(
        &self,
        event: &Event,
        login: &Arc<OpenHandshake>,
        handshake: KeyHandshake,
    ) -> Result<()> {
        let (user, row) = (event.pubkey, &login.row);
        let slot = self.reserve()?;
        self.prompts.ask(user, self.clock.now())?;
        let recorded = async {
            let one_time = row.expires_at.is_some();
            let prepared = self.prepare_challenge(row.stream, user, &[], one_time, slot).await?;
            self.record_scan(event, std::slice::from_ref(login), handshake, Some(prepared)).await
        };
        recorded.await.inspect_err(|_| self.prompts.take_back(&user))
    }

    /// Stores a scan with the challenge that follows from it, then tells of it and sends that.
    async fn record_scan(
        &self,
        event: &Event,
        waiting: &[Arc<OpenHandshake>],
        handshake: KeyHandshake,
        challenge: Option<Prepared>,
    ) -> Result<()> {
        let (user, now) = (event.pubkey, self.clock.now());
        let preferred = self.relays.filter_preferred(&handshake.preferred_relays);
        let preferred_relays: Vec<String> = preferred.iter().map(ToString::to_string).collect();
        let body = EventBody::KeyHandshake { main_key: user, preferred_relays: handshake.preferred_relays };
        let draft = self.events.draft(now, &body)?;
        let one_time = waiting.iter().any(|handshake| handshake.row.expires_at.is_some());
        let follows = challenge.is_some();
        let scan = Scan {
            event_id: event.id.to_bytes(),
            user,
            preferred_relays,
            at: now,
            events: waiting.iter().map(|open| (open.row.stream, draft.clone())).collect(),
            one_time,
            challenge: challenge.as_ref().map(|prepared| prepared.row.clone()),
        };
        let Some(stored) = self.store.record_scan(&scan).await? else {
            if follows {
                self.prompts.take_back(&user);
            }
            return Ok(());
        };
        if one_time {
            waiting.iter().for_each(|open| drop(self.registry.remove_handshake(open.row.stream)));
        }
        for (stream, stored) in stored {
            tracing::info!(%stream, "handshake scanned");
            self.events.publish(stream, &stored, body.clone(), one_time && !follows);
        }
        if let Some(prepared) = challenge {
            self.send_challenge(prepared);
        }
        Ok(())
    }

    /// A wallet answered a challenge.
    fn answered(self: &Arc<Self>, author: PublicKey, response: AuthResponse) {
        let Some(challenge) = self.challenge_asked_of(&author, &response) else { return };
        let (outcome, login) = match response.status {
            AuthStatus::Declined { .. } => (None, None),
            AuthStatus::Approved { ref session_token, .. } => {
                match self.verify_session(session_token, &author, &challenge.user) {
                    Ok(session) => {
                        let login = WalletLogin { signer: session.issuer, user: challenge.user };
                        (Some(session), Some(login))
                    }
                    Err(error) => {
                        let code = FailureCode::SessionTokenInvalid;
                        let failure = EventBody::Error {
                            reason: format!("{}: {error}", code.reason()),
                            code,
                            detail: Some(error.code().to_owned()),
                            user_key: (!challenge.ends_stream).then_some(challenge.user),
                        };
                        return self.settle(challenge, failure, None);
                    }
                }
            }
        };
        let body = EventBody::AuthenticateKey {
            user_key: challenge.user,
            recipient: author,
            challenge: response.challenge,
            status: response.status,
            session: outcome,
        };
        self.settle(challenge, body, login);
    }

    /// The open challenge that `author` was asked and now answers.
    fn challenge_asked_of(&self, author: &PublicKey, response: &AuthResponse) -> Option<Arc<OpenChallenge>> {
        let challenge = self.registry.asked(author, &response.challenge)?;
        let now = self.clock.now();
        if now >= challenge.expires_at {
            tracing::debug!(stream = %challenge.stream, "dropped an answer that came too late");
            return None;
        }
        match &response.subkey_proof {
            // A subkey that shows its right to answer must have it, now. A proof that is about another
            // user says nothing here and is ignored.
            Some(proof) if *author != challenge.user => {
                match proof.verify(author, &challenge.user, now.secs()) {
                    Ok(()) | Err(SubkeyError::ForeignMainKey) => Some(challenge),
                    Err(error) => {
                        tracing::debug!(stream = %challenge.stream, %error, "dropped an answer with a bad subkey proof");
                        None
                    }
                }
            }
            _ => Some(challenge),
        }
    }

    /// A key that got a challenge it could not read proves that it is a subkey of the user: the same
    /// challenge goes out to it too.
    async fn shown_subkey(&self, author: PublicKey, proof: SubkeyProof, about: EventId) -> Result<()> {
        let Some(challenge) = self.registry.challenge_of(&about) else { return Ok(()) };
        let now = self.clock.now();
        if let Err(error) = proof.verify(&author, &challenge.user, now.secs()) {
            tracing::debug!(stream = %challenge.stream, %error, "ignored a subkey proof");
            return Ok(());
        }
        let mut concerned: Vec<PublicKey> = challenge.progress().asked.iter().map(|(key, _)| *key).collect();
        if concerned.contains(&author) || concerned.len() > MAX_SUBKEYS {
            return Ok(());
        }
        concerned.push(author);
        let event = self.seal_challenge(challenge.id, challenge.expires_at, &author, &concerned, now)?;
        let envelope = Envelope { recipient: author, event: event.as_json() };
        let renewals = challenge.progress().renewals;
        if !self.store.put_envelope(challenge.id.as_str(), &envelope, renewals).await? {
            return Ok(());
        }
        let proof = serde_json::to_string(&proof).map_err(|_| AuthError::Seal)?;
        let subkey = KnownSubkey { key: author, proof, seen_at: now };
        self.store.remember_subkey(&challenge.user, &subkey, MAX_SUBKEYS).await?;
        self.registry.ask_also(&challenge, author, event.id);
        self.publish_for(&challenge, Arc::new(event), None);
        Ok(())
    }

    /// Whether an event's time is near ours, so that a hostile relay cannot replay old scans.
    fn is_recent(&self, event: &Event) -> bool {
        let (now, made) = (self.clock.now().secs(), event.created_at.as_secs());
        now.abs_diff(made) <= self.limits.max_event_age.as_secs()
    }
}
