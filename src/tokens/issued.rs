//! Which tokens this service issued, and for which callers, in the audit and the log. The first ones of a caller in a
//! minute are recorded one by one, and then how many more there were: a caller that issues thousands a second can fill
//! neither. A record is written beside the answer, so issuing does not wait for the disk.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::actor::Actor;
use crate::clock::SharedClock;
use crate::lifecycle::Lifecycle;
use crate::store::{Accounts, AuditKind};

/// How many tokens of one caller are recorded one by one in [`EVERY`].
const ONE_BY_ONE: u64 = 10;

/// How often the numbers of the others are recorded.
const EVERY: Duration = Duration::from_secs(60);

/// How many callers are counted apart. The others are counted together.
const MOST_CALLERS: usize = 1_000;

/// Records the tokens that were issued.
#[derive(Debug)]
pub struct Issued {
    accounts: Arc<dyn Accounts>,
    clock: SharedClock,
    lifecycle: Lifecycle,
    counts: Mutex<Counts>,
}

/// How many tokens each caller got since the last record of numbers.
#[derive(Debug, Default)]
struct Counts(HashMap<Actor, u64>);

impl Counts {
    /// Counts one. Returns whether it is recorded by itself.
    fn take(&mut self, actor: &Actor) -> bool {
        let is_room = self.0.len() < MOST_CALLERS || self.0.contains_key(actor);
        let actor = if is_room { actor.clone() } else { Actor::others() };
        let count = self.0.entry(actor).or_default();
        *count += 1;
        *count <= ONE_BY_ONE
    }

    /// The callers with tokens that were not recorded, and how many. Begins again from zero.
    fn unrecorded(&mut self) -> Vec<(Actor, u64)> {
        let counts = mem::take(&mut self.0).into_iter();
        counts
            .filter(|(_, count)| *count > ONE_BY_ONE)
            .map(|(actor, count)| (actor, count - ONE_BY_ONE))
            .collect()
    }
}

impl Issued {
    /// Records from now on, until the daemon stops.
    pub fn start(accounts: Arc<dyn Accounts>, clock: SharedClock, lifecycle: Lifecycle) -> Arc<Self> {
        let issued =
            Arc::new(Self { accounts, clock, lifecycle: lifecycle.clone(), counts: Mutex::default() });
        lifecycle.run("audit of issued tokens", Arc::clone(&issued).record_numbers_on_schedule());
        let at_the_end = Arc::clone(&issued);
        lifecycle.spawn(async move {
            at_the_end.lifecycle.stopping().await;
            at_the_end.record_numbers();
        });
        issued
    }

    /// A token was issued for this caller.
    pub(super) fn note(&self, actor: &Actor, detail: Value) {
        let is_recorded = self.counts.lock().unwrap_or_else(PoisonError::into_inner).take(actor);
        // Once the daemon stops, nobody records numbers any more.
        if is_recorded || self.lifecycle.is_stopping() {
            self.record(actor, detail);
        }
    }

    async fn record_numbers_on_schedule(self: Arc<Self>) {
        let mut due = tokio::time::interval(EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        due.reset();
        loop {
            due.tick().await;
            self.record_numbers();
        }
    }

    fn record_numbers(&self) {
        let unrecorded = self.counts.lock().unwrap_or_else(PoisonError::into_inner).unrecorded();
        for (actor, more) in unrecorded {
            self.record(&actor, json!({ "more": more }));
        }
    }

    fn record(&self, actor: &Actor, detail: Value) {
        tracing::info!(by = %actor, %detail, "tokens issued");
        let record = actor.did(AuditKind::TokenIssued, self.clock.now()).with(&detail);
        let accounts = Arc::clone(&self.accounts);
        self.lifecycle.spawn(async move {
            if let Err(error) = accounts.record_audit(&[record]).await {
                tracing::warn!(%error, "cannot record issued tokens in the audit");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_issues_without_end_gets_a_few_records_and_a_number_and_the_next_caller_its_own() {
        let (mut counts, busy, other) =
            (Counts::default(), Actor::peer(&"token:busy"), Actor::peer(&"unix uid 7"));
        let recorded = (0..5_000).filter(|_| counts.take(&busy)).count();
        assert_eq!(recorded as u64, ONE_BY_ONE);
        assert!(counts.take(&other));
        assert_eq!(counts.unrecorded(), [(busy.clone(), 5_000 - ONE_BY_ONE)]);
        assert!(counts.take(&busy), "the next minute begins anew");
        assert_eq!(counts.unrecorded(), []);
    }

    #[test]
    fn callers_without_end_take_no_memory_without_end() {
        let mut counts = Counts::default();
        for n in 0..10 * MOST_CALLERS {
            counts.take(&Actor::peer(&format!("tcp {n}")));
        }
        assert_eq!(counts.0.len(), MOST_CALLERS + 1);
        assert_eq!(counts.unrecorded(), [(Actor::others(), 9 * MOST_CALLERS as u64 - ONE_BY_ONE)]);
    }
}
