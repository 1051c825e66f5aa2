//! Asks a relay for the profile (kind 0) of a key, or publishes it there, from outside the daemon.

use std::time::Duration;

use nostr_sdk::prelude::{ClientMessage, Event, Filter, Keys, Kind, PublicKey, RelayUrl, SubscriptionId};

use super::Problem;
use super::caller::{Caller, Said, wants_login};
use crate::relay::replaceable::supersedes;
use crate::tls::Tls;

/// The newest profile of `key` that a relay has, verified.
///
/// # Errors
/// [`Problem`]: the relay could not be asked, or did not answer within `patience`.
pub async fn profile_at(
    relay: &RelayUrl,
    key: &PublicKey,
    patience: Duration,
    tls: &Tls,
) -> Result<Option<Event>, Problem> {
    let mut caller = Caller::connect(relay, patience, tls).await?;
    let asked = tokio::time::timeout(patience, caller.profile(key)).await;
    asked.unwrap_or_else(|_| Err(caller.explained(Problem::NoAnswer)))
}

/// Publishes an event at a relay; `keys` log in if the relay asks for it.
///
/// # Errors
/// [`Problem`]: the relay could not be reached, refused, or did not answer within `patience`.
pub async fn publish_to(
    relay: &RelayUrl,
    event: &Event,
    keys: &Keys,
    patience: Duration,
    tls: &Tls,
) -> Result<(), Problem> {
    let mut caller = Caller::connect(relay, patience, tls).await?.with_keys(keys);
    let told = tokio::time::timeout(patience, caller.store(event)).await;
    told.unwrap_or_else(|_| Err(caller.explained(Problem::NotConfirmed)))
}

impl Caller {
    async fn profile(&mut self, key: &PublicKey) -> Result<Option<Event>, Problem> {
        let filter = Filter::new().kind(Kind::Metadata).author(*key).limit(1);
        let id = SubscriptionId::generate();
        self.ask(&id, &filter).await?;
        let mut newest: Option<Event> = None;
        loop {
            match self.hear().await? {
                Said::Event(event) => {
                    let is_asked_for = event.kind == Kind::Metadata && event.pubkey == *key;
                    if !is_asked_for || event.verify().is_err() {
                        return Err(Problem::Forged);
                    }
                    let is_newer = newest.as_ref().is_none_or(|known| supersedes(&event, known));
                    newest = if is_newer { Some(*event) } else { newest };
                }
                Said::Eose(ended) if ended == id.as_str() => return Ok(newest),
                Said::Closed(closed, reason)
                    if closed.as_ref().is_none_or(|closed| closed == id.as_str())
                        && !wants_login(&reason) =>
                {
                    return Err(Problem::SubscriptionRefused(reason));
                }
                // Our login was taken.
                Said::Verdict { accepted: true, .. } => self.ask(&id, &filter).await?,
                _ => {}
            }
        }
    }

    /// Publishes an event that the relay should store, and waits for its answer.
    async fn store(&mut self, event: &Event) -> Result<(), Problem> {
        self.say(&ClientMessage::event(event.clone())).await?;
        loop {
            let Said::Verdict { id, accepted, reason } = self.hear().await? else { continue };
            match (id == event.id.to_hex(), accepted) {
                (true, true) => return Ok(()),
                (true, false) if !wants_login(&reason) => return Err(Problem::ProfileRefused(reason)),
                // Our login was taken.
                (false, true) => self.say(&ClientMessage::event(event.clone())).await?,
                _ => {}
            }
        }
    }
}
