//! Opens incoming events and handles each message to its end, in the worker that verified the event.
//!
//! The relay layer has checked the event's id and signature, and that it may be of interest. Nothing else
//! about it is trusted yet: `scans.rs`, `answers.rs` and `tokens` check author, recipient, challenge, proof
//! and token.

use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use nostr_sdk::Event;
use rand::rngs::OsRng;

use super::{Portal, PortalError, Result};
use crate::protocol::{Message, OpenError, kind};
use crate::relay::{Handler, Publication, Reservation, Signal};

/// Passes signals to the service. Weak: the service holds the relays, so they must not hold the service.
pub(super) struct Dispatcher(Weak<Portal>);

impl Dispatcher {
    pub(super) fn of(portal: &Arc<Portal>) -> Self {
        Self(Arc::downgrade(portal))
    }
}

impl Handler for Dispatcher {
    fn handle(&self, signal: Signal) -> BoxFuture<'static, ()> {
        let portal = self.0.upgrade();
        Box::pin(async move {
            if let Some(portal) = portal {
                portal.dispatch(signal).await;
            }
        })
    }
}

impl Portal {
    /// Handles one signal of the relays to its end.
    async fn dispatch(self: Arc<Self>, signal: Signal) {
        match signal {
            Signal::Event { event, reservation, .. } => self.handle_event(*event, reservation).await,
            Signal::Refused { event_id, relay, reason, too_old } => {
                tracing::debug!(%relay, event = %event_id, reason, "a relay refused an event");
                if too_old {
                    let portal = Arc::clone(&self);
                    self.change(None, async move { portal.renew(event_id, relay).await }).await;
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
            Message::AuthResponse(response) => {
                if let Some(answer) = self.answered(opened.author, response) {
                    // Released first: answers must not wait while the store cannot take this one.
                    drop(reservation);
                    self.lifecycle.to_the_end(portal.settle(answer)).await;
                }
            }
            Message::KeyHandshake(handshake) => {
                if !self.registry.urls.scanned(&handshake.token).is_empty() {
                    let scanned = async move { portal.scanned(&event, handshake).await };
                    self.change(Some(reservation), scanned).await;
                }
            }
            Message::SubkeyProof { proof, about: Some(about) } => {
                let author = opened.author;
                let shown = async move { portal.shown_subkey(author, proof, about).await };
                self.change(Some(reservation), shown).await;
            }
            Message::SubkeyProof { about: None, .. } | Message::AuthChallenge(_) => {}
        }
    }

    /// Runs work that changes the store to its end, even if the relay is removed meanwhile, and a bounded number
    /// at a time. Releases `reservation` at the end.
    async fn change(
        &self,
        reservation: Option<Reservation>,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let places = Arc::clone(&self.handling);
        let change = async move {
            let Ok(_place) = places.acquire_owned().await else { return };
            log_failure(work.await);
            drop(reservation);
        };
        self.lifecycle.to_the_end(change).await;
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
