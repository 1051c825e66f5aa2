//! Outcomes: stored, then published. If the store cannot accept an outcome now, Portico keeps it until it
//! can.

use std::sync::Arc;

use nostr_sdk::{EventId, JsonUtil, PublicKey, RelayUrl};

use super::challenge::MAX_SUBKEYS;
use super::outcome::failure;
use super::patience::until_stored;
use super::registry::{OpenChallenge, OpenHandshake};
use super::{Portal, Result};
use crate::clock::Timestamp;
use crate::events::{EventBody, FailureCode, RequestKind};
use crate::portal_token::TokenError;
use crate::store::{Envelope, HandshakeKind, KnownSubkey, StreamId};
use crate::tokens::Vouched;

/// How a challenge is to end.
pub(super) struct Ending {
    pub(super) challenge: Arc<OpenChallenge>,
    pub(super) outcome: EventBody,
    /// The verified session token, if the wallet approved.
    pub(super) vouched: Option<Vouched>,
    /// A subkey that showed its proof with the answer, and its user.
    pub(super) subkey: Option<(PublicKey, KnownSubkey)>,
}

impl Portal {
    /// Ends a challenge, as soon as the store can take it. Only the first outcome counts.
    pub(super) async fn settle(self: Arc<Self>, ending: Ending) {
        let Ending { challenge, outcome, vouched, subkey } = ending;
        if std::mem::replace(&mut challenge.progress().settling, true) {
            return;
        }
        let (challenge, stream) = (&*challenge, challenge.stream);
        let kept = until_stored(stream, async || {
            if let Some((user, subkey)) = &subkey {
                self.store.remember_subkey(user, subkey, MAX_SUBKEYS).await?;
            }
            self.keep_outcome(challenge, &outcome, vouched).await
        });
        let kept = match kept.await {
            Ok(kept) => kept,
            Err(error) => {
                return tracing::error!(stream_id = %stream, %error, "cannot store an outcome");
            }
        };
        self.forget_challenge(challenge).await;
        if let Some((stored, outcome)) = kept {
            let (word, reason) = summary(&outcome);
            let took = self.clock.now().since(challenge.created_at);
            self.metrics.logins.challenge_ended(word, reason, took);
            let took_ms = took.as_millis() as u64;
            tracing::info!(stream_id = %challenge.stream, outcome = word, reason = Some(reason).filter(|reason| !reason.is_empty()), took_ms, "challenge ended");
            self.events.publish(challenge.stream, &stored, outcome, challenge.ends_stream);
        } else {
            self.events.doubt(challenge.stream);
        }
    }

    async fn forget_challenge(&self, challenge: &OpenChallenge) {
        if let Some((challenge, events)) = self.registry.remove_challenge(challenge.id) {
            for event in &events {
                self.relays.withdraw(event);
            }
            self.prompts.answered(challenge.id, &challenge.prompted).await;
        }
    }

    /// Ends a challenge that nobody answered, in the background: other deadlines must not wait for the store.
    pub(super) fn expire_challenge(self: &Arc<Self>, challenge: Arc<OpenChallenge>) {
        let outcome = failure(&challenge, self.why_unanswered(challenge.created_at), None);
        let ending = Ending { challenge, outcome, vouched: None, subkey: None };
        self.lifecycle.spawn(Arc::clone(self).settle(ending));
    }

    /// `no_relay` if no relay was ready since `created_at`. A request from before this process never ends
    /// with it, because this process does not know which relays were ready then.
    pub(super) fn why_unanswered(&self, created_at: Timestamp) -> FailureCode {
        if created_at < self.started_at || self.relays.any_ready_since(created_at) {
            FailureCode::TimedOut
        } else {
            FailureCode::NoRelay
        }
    }

    /// Ends a stream and everything that is open on it. Returns `false` if it had ended already.
    pub(super) async fn end_stream(&self, stream: StreamId, code: FailureCode) -> Result<bool> {
        let handshake = self.registry.handshake(stream);
        let _alone = match &handshake {
            Some(handshake) => Some(handshake.recording.write().await),
            None => None,
        };
        self.end_stream_alone(stream, code, code.reason().to_owned()).await
    }

    /// Ends the stream of a URL, unless a scan uses it up at this moment.
    pub(super) async fn end_unscanned(
        &self,
        handshake: &OpenHandshake,
        code: FailureCode,
        reason: String,
    ) -> Result<()> {
        let stream = handshake.row.stream;
        let _alone = handshake.recording.write().await;
        match self.registry.handshake(stream) {
            Some(_) => self.end_stream_alone(stream, code, reason).await.map(drop),
            None => Ok(()),
        }
    }

    async fn end_stream_alone(&self, stream: StreamId, code: FailureCode, reason: String) -> Result<bool> {
        let open = self.registry.handshake(stream);
        let is_handshake = open.is_some_and(|open| open.row.kind == HandshakeKind::Handshake);
        let last = EventBody::Error {
            reason,
            code,
            detail: None,
            user_key: None,
            request: is_handshake.then_some(RequestKind::KeyHandshake),
        };
        let draft = self.events.draft(self.clock.now(), &last)?;
        let stored = self.store.end_stream(stream, &draft).await?;
        let (word, reason) = summary(&last);
        let handshake = self.registry.remove_handshake(stream);
        // Only a login URL leads to challenges, and a one-time one not before it is scanned. Many others may end
        // together, and each search costs a look at all that is open.
        let led_nowhere = handshake.is_some_and(|handshake| {
            handshake.row.kind == HandshakeKind::Handshake || handshake.row.expires_at.is_some()
        });
        let open = if led_nowhere { Vec::new() } else { self.registry.challenges_on(stream) };
        for challenge in open {
            let took = self.clock.now().since(challenge.created_at);
            self.metrics.logins.challenge_ended(word, reason, took);
            self.forget_challenge(&challenge).await;
        }
        if let Some(stored) = &stored {
            self.metrics.logins.ended(word);
            tracing::info!(stream_id = %stream, outcome = word, "stream ended");
            self.events.publish(stream, stored, last, true);
        } else {
            self.events.doubt(stream);
        }
        Ok(stored.is_some())
    }

    /// A relay refused an event as too old: Portico sends the same challenge once more in a new event, only
    /// to relays that refused it, because a wallet that gets both asks its user twice.
    pub(super) async fn renew(&self, old: EventId, relay: RelayUrl) -> Result<()> {
        let Some(challenge) = self.registry.challenge_of(&old) else { return Ok(()) };
        until_stored(challenge.stream, || self.replace(&challenge, old, &relay)).await
    }

    async fn replace(&self, challenge: &OpenChallenge, old: EventId, relay: &RelayUrl) -> Result<()> {
        /// The largest number of new events for one request.
        const MAX_RENEWALS: u8 = 2;

        let _amending = challenge.amending.lock().await;
        if let Some((event, relays)) = challenge.successor_of(old, relay) {
            // Other relays found it too old before this one did.
            self.challenger.publish(challenge, event, relays);
            return Ok(());
        }
        let (asked, renewals) = {
            let progress = challenge.progress();
            (progress.asked.clone(), progress.renewals)
        };
        let Some((recipient, _)) = asked.iter().find(|(_, event)| *event == old) else { return Ok(()) };
        if renewals >= MAX_RENEWALS {
            return Ok(());
        }
        let concerned: Vec<_> = asked.iter().map(|(key, _)| *key).collect();
        let now = self.clock.now();
        let event = self.challenger.seal(challenge.id, challenge.expires_at, recipient, &concerned, now)?;
        let envelope = Envelope { recipient: *recipient, event: event.as_json() };
        if !self.store.put_envelope(challenge.id.as_str(), &envelope, renewals + 1).await? {
            return Ok(());
        }
        let event = Arc::new(event);
        if self.registry.renew(challenge, old, &event, relay) {
            self.challenger.publish(challenge, event, vec![relay.clone()]);
        }
        Ok(())
    }
}

/// The outcome as one word for log and metrics, and the error of the session token if that is the reason.
fn summary(outcome: &EventBody) -> (&'static str, &'static str) {
    use crate::protocol::AuthStatus;
    match outcome {
        EventBody::KeyHandshake { .. } => ("scanned", ""),
        EventBody::AuthenticateKey { status: AuthStatus::Approved { .. }, .. } => ("approved", ""),
        EventBody::AuthenticateKey { status: AuthStatus::Declined { .. }, .. } => ("declined", ""),
        EventBody::SessionCreated { .. } | EventBody::SessionRevoked { .. } => ("session", ""),
        EventBody::Error { code, detail, .. } => {
            // The code of a token error, back from the text that callers get.
            let reason = detail.as_deref().and_then(TokenError::of_word);
            (code.as_str(), reason.map_or("", TokenError::code))
        }
    }
}
