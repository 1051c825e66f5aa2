//! The course of our one subscription on one connection. Pure: time is an argument.
//!
//! nostr-sdk's own re-subscription compares whole seconds and so forgets one after a quick reconnect, and it
//! gives up for good on most `CLOSED` messages. This neither forgets nor gives up.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff;

/// After a loss, wait so long for the flood that caused it to pass before making up for it …
const RECOVER_AFTER: Duration = Duration::from_secs(1);

/// … and do so at most once per this time.
const RECOVER_EVERY: Duration = Duration::from_secs(10);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// Send a `REQ`; until it is answered we hear nothing.
    Ask,
    /// The subscription is open: what is sent to us arrives from now on.
    Ready,
    /// The subscription is closed, for a while.
    Wait,
    /// Send the `REQ` again and publish again what is open: frames were dropped.
    Recover,
}

#[derive(Debug)]
pub(super) struct Subscription {
    retry: Duration,
    eose_timeout: Duration,
    phase: Phase,
    /// `CLOSED` messages since it was last open.
    closed: u32,
    authenticated: bool,
    recovered: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    Asked { until: Instant },
    Open { recover: Option<Instant> },
    Closed { until: Instant, for_login: bool },
}

impl Subscription {
    /// On a new connection; the first step is to ask.
    pub(super) fn new(retry: Duration, eose_timeout: Duration, now: Instant) -> (Self, Step) {
        let phase = Phase::Asked { until: now + eose_timeout };
        let new = Self { retry, eose_timeout, phase, closed: 0, authenticated: false, recovered: None };
        (new, Step::Ask)
    }

    /// The relay has sent all it had stored.
    pub(super) fn eose(&mut self) -> Step {
        if !matches!(self.phase, Phase::Asked { .. }) {
            return Step::Stay;
        }
        self.closed = 0;
        self.phase = Phase::Open { recover: None };
        Step::Ready
    }

    /// The relay closed it, or it could not be asked for. `for_login`: because we are not logged in.
    pub(super) fn closed(&mut self, for_login: bool, now: Instant) -> Step {
        self.closed = self.closed.saturating_add(1);
        // The login was accepted between the question and this answer to it.
        if for_login && self.authenticated && self.closed == 1 {
            return self.ask(now);
        }
        self.phase = Phase::Closed { until: now + backoff::delay(self.retry, self.closed), for_login };
        Step::Wait
    }

    /// The relay accepted our login (NIP-42).
    pub(super) fn authenticated(&mut self, now: Instant) -> Step {
        self.authenticated = true;
        if matches!(self.phase, Phase::Closed { for_login: true, .. }) { self.ask(now) } else { Step::Stay }
    }

    /// Frames of this relay were dropped.
    pub(super) fn lost(&mut self, now: Instant) -> Step {
        if let Phase::Open { recover: recover @ None } = &mut self.phase {
            let allowed = self.recovered.map(|last| last + RECOVER_EVERY);
            *recover = Some(allowed.map_or(now + RECOVER_AFTER, |allowed| allowed.max(now + RECOVER_AFTER)));
        }
        Step::Stay
    }

    /// When to call [`Subscription::due`], unless something happens before.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.phase {
            Phase::Asked { until } | Phase::Closed { until, .. } => Some(until),
            Phase::Open { recover } => recover,
        }
    }

    /// The moment [`Subscription::next`] named has come.
    pub(super) fn due(&mut self, now: Instant) -> Step {
        match self.phase {
            // Not all relays send EOSE, and it was not refused.
            Phase::Asked { .. } => self.eose(),
            Phase::Closed { .. } => self.ask(now),
            Phase::Open { .. } => {
                self.recovered = Some(now);
                self.phase = Phase::Open { recover: None };
                Step::Recover
            }
        }
    }

    fn ask(&mut self, now: Instant) -> Step {
        self.phase = Phase::Asked { until: now + self.eose_timeout };
        Step::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Duration = Duration::from_secs(1);
    const EOSE: Duration = Duration::from_secs(5);

    fn asked() -> (Subscription, Instant) {
        let now = Instant::now();
        let (subscription, step) = Subscription::new(RETRY, EOSE, now);
        assert_eq!(step, Step::Ask);
        (subscription, now)
    }

    #[test]
    fn it_is_ready_at_eose_and_only_once() {
        let (mut subscription, _) = asked();
        assert_eq!(subscription.eose(), Step::Ready);
        assert_eq!(subscription.eose(), Step::Stay);
        assert_eq!(subscription.next(), None);
    }

    #[test]
    fn a_relay_without_eose_is_taken_for_ready_after_a_while() {
        let (mut subscription, now) = asked();
        assert_eq!(subscription.next(), Some(now + EOSE));
        assert_eq!(subscription.due(now + EOSE), Step::Ready);
    }

    #[test]
    fn after_closed_it_asks_again_less_and_less_often_but_always() {
        let (mut subscription, mut now) = asked();
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(subscription.closed(false, now), Step::Wait);
            assert_eq!(subscription.eose(), Step::Stay, "an EOSE that comes too late opens nothing");
            let next = subscription.next().unwrap();
            waits.push((next - now).as_secs());
            now = next;
            assert_eq!(subscription.due(now), Step::Ask);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn closed_for_want_of_a_login_it_asks_again_at_once_when_logged_in() {
        let (mut subscription, now) = asked();
        assert_eq!(subscription.closed(true, now), Step::Wait);
        assert_eq!(subscription.authenticated(now), Step::Ask);
        assert_eq!(subscription.eose(), Step::Ready);
        assert_eq!(subscription.closed(true, now), Step::Ask);
        assert_eq!(subscription.closed(true, now), Step::Wait, "but does not spin");
    }

    #[test]
    fn losses_are_made_up_for_but_a_flood_does_not_make_us_flood() {
        let (mut subscription, now) = asked();
        subscription.eose();
        subscription.lost(now);
        subscription.lost(now);
        let first = subscription.next().unwrap();
        assert_eq!(first, now + RECOVER_AFTER);
        assert_eq!(subscription.due(first), Step::Recover);
        assert_eq!(subscription.next(), None);
        subscription.lost(first);
        assert_eq!(subscription.next(), Some(first + RECOVER_EVERY));
    }
}
