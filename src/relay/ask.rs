//! Asking relays something and waiting for their answer, all of them at once and none for longer than told.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use nostr_sdk::prelude::{ClientMessage, Event, EventId, Filter, Kind, PublicKey, SubscriptionId};
use tokio::sync::oneshot;

use super::cpu;
use super::health::RelayState;
use super::link::Link;
use super::raw;
use super::replaceable::supersedes;

/// What became of an event at one relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has it.
    Accepted,
    /// It would not take it. Its reason, shortened, for people.
    Refused(String),
    /// It did not say in time; not all relays do. It may have it.
    NoAnswer,
    /// It was not connected: the event was not sent.
    NotConnected,
}

impl Link {
    /// The newest profile (kind 0) of `author` this relay has: verified, whatever the relay says.
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

    /// Send an event and wait for the relay's word on it.
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

/// A question under an id of its own. When it is dropped, answered or not, the relay is told that it is over.
struct Question<'a> {
    link: &'a Link,
    id: String,
}

impl<'a> Question<'a> {
    fn new(link: &'a Link) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = format!("ask-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { link, id }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.link.tap.questions.end(&self.id);
        self.link.tell(ClientMessage::close(SubscriptionId::new(self.id.as_str())));
    }
}

/// Forgets that somebody waits for a verdict, when nobody does any more.
struct Awaited<'a> {
    link: &'a Link,
    id: EventId,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.link.verdicts.remove(&self.id);
    }
}
