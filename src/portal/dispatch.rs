//! Opens incoming events, and passes each message to its handler.
//!
//! The relay layer has checked the event's id and signature, and that it may be of interest. Nothing else
//! about it is trusted yet: `scans.rs`, `answers.rs` and `tokens` check author, recipient, challenge, proof
//! and token.

use std::sync::Arc;

use nostr_sdk::Event;
use rand::rngs::OsRng;

use super::{Portal, PortalError, Result};
use crate::protocol::{Message, OpenError, kind};
use crate::relay::{Publication, Reservation, Signal};

impl Portal {
    /// Dispatches one signal from the relays. Opening and checking happens here, on as many cores as there
    /// are dispatchers; work that waits for the store continues in a task of its own.
    pub(super) async fn dispatch(self: &Arc<Self>, signal: Signal) {
        match signal {
            Signal::Event { event, reservation, .. } => self.handle_event(*event, reservation).await,
            Signal::Refused { event_id, relay, reason, too_old } => {
                tracing::debug!(%relay, event = %event_id, reason, "a relay refused an event");
                if too_old {
                    let portal = Arc::clone(self);
                    self.handle_apart(None, async move { portal.renew(event_id, relay).await }).await;
                }
            }
        }
    }

    /// `reservation` is kept as long as the event. If the event was useful, its author is not charged for it.
    async fn handle_event(self: &Arc<Self>, event: Event, reservation: Reservation) {
        let opened = self.relays.at_the_expense_of(&event.pubkey, || self.identity.sealer.open(&event));
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::debug!(event = %event.id, kind = event.kind.as_u16(), %error, "cannot open the event");
                if error == OpenError::Foreign && event.kind == kind::AUTH_RESPONSE {
                    log_failure(self.show_our_subkey(&event));
                }
                return;
            }
        };
        let portal = Arc::clone(self);
        match opened.message {
            Message::AuthResponse(response) => self.answered(opened.author, response),
            Message::KeyHandshake(handshake) => {
                if !self.registry.urls.scanned(&handshake.token).is_empty() {
                    self.handle_apart(
                        Some(reservation),
                        async move { portal.scanned(&event, handshake).await },
                    )
                    .await;
                }
            }
            Message::SubkeyProof { proof, about: Some(about) } => {
                let author = opened.author;
                let shown = async move { portal.shown_subkey(author, proof, about).await };
                self.handle_apart(Some(reservation), shown).await;
            }
            Message::SubkeyProof { about: None, .. } | Message::AuthChallenge(_) => {}
        }
    }

    /// Runs work that waits for the store in a task of its own, a bounded number of them at a time. Releases
    /// `reservation` at the end.
    async fn handle_apart(
        &self,
        reservation: Option<Reservation>,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let Ok(place) = Arc::clone(&self.handling).acquire_owned().await else { return };
        self.lifecycle.spawn(async move {
            log_failure(work.await);
            drop((place, reservation));
        });
    }

    /// A wallet that Portico asked sealed its answer to our main key. Our proof tells it to send the answer
    /// to the subkey that this daemon uses. At most once per wallet in a while: it costs a signature.
    fn show_our_subkey(&self, unreadable: &Event) -> Result<()> {
        let (Some(proof), wallet) = (&self.identity.proof, unreadable.pubkey) else { return Ok(()) };
        let now = self.clock.now();
        if self
            .shown_to
            .get(&wallet)
            .is_some_and(|until| now < until && until.since(now) <= self.limits.challenge_ttl)
        {
            return Ok(());
        }
        let expires_at = now.plus(self.limits.challenge_ttl);
        self.shown_to.insert(wallet, expires_at);
        let sealer = &self.identity.sealer;
        let event = sealer
            .seal(&mut OsRng, &wallet, &[wallet], Some(unreadable.id), proof, now.secs())
            .map_err(|_| PortalError::Seal)?;
        let event = Arc::new(event);
        self.relays.publish(Publication { event, also: Vec::new(), only: Vec::new(), expires_at });
        Ok(())
    }
}

fn log_failure(result: Result<()>) {
    if let Err(error) = result {
        tracing::error!(%error, "cannot handle a wallet's message");
    }
}
