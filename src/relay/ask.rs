//! Asks all relays at the same time and waits for their answers, for a limited time.

use std::borrow::Cow;

use nostr_sdk::prelude::{ClientMessage, Event, EventId, Filter, Kind, PublicKey, SubscriptionId};
use tokio::sync::oneshot;

use super::cpu;
use super::health::RelayState;
use super::link::Link;
use super::questions;
use super::raw;
use super::replaceable::supersedes;

/// The answer of one relay to a published event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The relay has accepted it.
    Accepted,
    /// The relay refused it. Its reason, shortened, for people.
    Refused(String),
    /// No answer in time; not all relays send one. The relay may have accepted it.
    NoAnswer,
    /// The relay was not connected, so the event was not sent.
    NotConnected,
}

impl Link {
    /// The newest verified profile (kind 0) of `author` that this relay has. Does not rely on the relay for
    /// the order or the author.
    pub(super) async fn ask_metadata(&self, author: &PublicKey) -> Option<Event> {
        let filter = Filter::new().kind(Kind::Metadata).author(*author).limit(1);
        let question = Question::new(self);
        let mut answers = self.tap.questions.begin(&question.id);
        let id = SubscriptionId::new(question.id.as_str());
        if !self.tell(ClientMessage::req(id, vec![filter])) {
            return None;
        }
        let mut newest: Option<Event> = None;
        while let Some(answer) = answers.recv().await {
            let (candidate, cost) = cpu::measured(|| {
                let event = raw::read(&answer).filter(|event| {
                    let event = event.unverified();
                    let is_newer = newest.as_ref().is_none_or(|known| supersedes(event, known));
                    event.kind == Kind::Metadata && event.pubkey == *author && is_newer
                })?;
                event.verify()
            });
            // One was asked for: a relay that sends more has us verify them at its own expense.
            self.tap.spend(cost);
            newest = candidate.or(newest);
        }
        newest
    }

    /// Sends an event and waits for the relay's answer.
    pub(super) async fn ask_to_store(&self, event: &Event) -> Outcome {
        if self.tap.health.status().state == RelayState::Connecting {
            return Outcome::NotConnected;
        }
        let (sender, verdict) = oneshot::channel();
        self.verdicts.insert(event.id, sender);
        let _forgotten = Awaited { link: self, id: event.id };
        if !self.tell(ClientMessage::Event(Cow::Borrowed(event))) {
            return Outcome::NotConnected;
        }
        self.tap.health.tally.sent.up();
        match verdict.await {
            Ok((true, _)) => Outcome::Accepted,
            Ok((false, reason)) => Outcome::Refused(reason),
            // The connection was lost.
            Err(_) => Outcome::NoAnswer,
        }
    }
}

/// A question with its own subscription id. Dropping it closes the subscription at the relay.
struct Question<'a> {
    link: &'a Link,
    id: String,
}

impl<'a> Question<'a> {
    fn new(link: &'a Link) -> Self {
        Self { link, id: questions::new_id() }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.link.tap.questions.end(&self.id);
        self.link.tell(ClientMessage::close(SubscriptionId::new(self.id.as_str())));
    }
}

/// Removes the waiting entry of a publication that nobody waits for any more.
struct Awaited<'a> {
    link: &'a Link,
    id: EventId,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.link.verdicts.remove(&self.id);
    }
}
