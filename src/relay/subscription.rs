//! The state machine of our one subscription on one connection. Pure: time is an argument.
//!
//! Frames that Portico does not know, or did not ask for, count as a `NOTICE`: they may be an objection in
//! another form.
//!
//! Not all relays send `EOSE`. So silence counts as a confirmation, but only from a relay that has sent nothing else
//! on this connection: after an `EOSE`, a `CLOSED`, a `NOTICE` or an unknown frame, only another `EOSE` or an event of
//! the subscription confirms it.
//!
//! A `NOTICE` is for people, and some relays send only that when they refuse or end a subscription. In place
//! of an `EOSE` it means that the subscription is not open. Later it makes Portico ask again, which does not
//! disturb an open subscription (NIP-01). Until the relay answers, the subscription counts as closed if the
//! notice [objects](super::objection), and as open if not. A relay that objects repeatedly and confirms the
//! subscription each time objects to something else: after a few times it stays ready while Portico asks.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff;

/// After a loss, wait this long until the flood that caused it has passed …
const RECOVER_AFTER: Duration = Duration::from_secs(1);

/// … and ask again at most once per this time.
const RECOVER_EVERY: Duration = Duration::from_secs(10);

/// After a notice, wait this long for further ones before asking whether the subscription is still open …
const CHECK_AFTER: Duration = Duration::from_secs(1);

/// … and ask at most once per this time …
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// … or per this time, if the relay objects.
const CHECK_OBJECTION_EVERY: Duration = Duration::from_secs(10);

/// After this many objections, a relay that confirms the subscription each time stays ready.
const BELIEVED: u32 = 3;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// Send a `REQ`; Portico receives nothing until the relay answers it.
    Ask,
    /// The subscription is open: Portico receives events from now on.
    Ready,
    /// The subscription is closed, for a while.
    Wait,
    /// The relay answered, but did not confirm the subscription: treat it as closed for a while.
    Doubt,
    /// Send the `REQ` again: the relay may have closed the subscription.
    Check,
    /// Send the `REQ` again and publish all open publications again: frames were dropped.
    Recover,
}

#[derive(Debug)]
pub(super) struct Subscription {
    retry: Duration,
    eose_timeout: Duration,
    phase: Phase,
    /// How often it was closed without being open for long in between.
    closed: u32,
    /// On this connection the relay has sent no confirmation, no refusal and no notice, so silence counts as
    /// a confirmation.
    silent: bool,
    /// What the relay sent on this connection in place of an answer that Portico knows.
    strange: Option<String>,
    /// How many objections ended its readiness since the relay last did not hold the subscription.
    objections: u32,
    login: Login,
    recovered: Option<Instant>,
    checked: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    /// A `REQ` is not answered yet. Silence until this moment counts as an answer, too.
    Asked(Instant),
    Open {
        since: Instant,
        recover: Option<Instant>,
        check: Option<Check>,
    },
    Closed {
        until: Instant,
        for_login: bool,
    },
}

/// When to check whether an open subscription is still open.
#[derive(Debug, Clone, Copy)]
enum Check {
    Due(Instant),
    Asked(Instant),
}

#[derive(Debug, PartialEq, Eq)]
enum Login {
    None,
    /// The relay asked for a login (NIP-42).
    AskedFor,
    /// The relay accepted the login.
    Accepted,
    /// … and Portico has asked again for what the relay refused without it.
    Used,
    /// The relay refused the login, for this reason.
    Refused(String),
}

impl Subscription {
    /// For a new connection; the first step is to ask. `doubted`: the last connection ended in doubt.
    pub(super) fn new(retry: Duration, eose_timeout: Duration, doubted: bool, now: Instant) -> (Self, Step) {
        let new = Self {
            retry,
            eose_timeout,
            phase: Phase::Asked(now + eose_timeout),
            closed: 0,
            silent: !doubted,
            strange: None,
            objections: 0,
            login: Login::None,
            recovered: None,
            checked: None,
        };
        (new, Step::Ask)
    }

    /// The relay has sent all its stored events.
    pub(super) fn eose(&mut self, now: Instant) -> Step {
        self.silent = false;
        self.confirmed(now)
    }

    /// An event of the subscription arrived while [`Subscription::awaits_event`].
    pub(super) fn delivered(&mut self, now: Instant) -> Step {
        if self.awaits_event() { self.confirmed(now) } else { Step::Stay }
    }

    /// Whether an event would confirm the subscription, where silence would not.
    pub(super) fn awaits_event(&self) -> bool {
        let is_asked =
            matches!(self.phase, Phase::Asked(_) | Phase::Open { check: Some(Check::Asked(_)), .. });
        is_asked && self.is_doubted()
    }

    /// Whether silence does not confirm the subscription, and nothing else has confirmed it.
    pub(super) fn is_doubted(&self) -> bool {
        !self.silent && !matches!(self.phase, Phase::Open { check: None | Some(Check::Due(_)), .. })
    }

    /// The `REQ` could not be sent.
    pub(super) fn unsent(&mut self, now: Instant) {
        self.wait(false, now);
    }

    /// The relay closed the subscription. `for_login`: because Portico is not logged in.
    pub(super) fn closed(&mut self, for_login: bool, now: Instant) -> Step {
        self.silent = false;
        self.objections = 0;
        if matches!(self.phase, Phase::Closed { .. }) {
            return Step::Stay;
        }
        // The login was accepted between the question and this answer to it.
        if for_login && self.login == Login::Accepted {
            self.login = Login::Used;
            return self.ask(now);
        }
        self.wait(for_login, now);
        Step::Wait
    }

    /// The relay asked for a login (NIP-42). Relays that know this protocol know `EOSE`, too.
    pub(super) fn login_asked_for(&mut self) -> Step {
        self.silent = false;
        if self.login == Login::None {
            self.login = Login::AskedFor;
        }
        Step::Stay
    }

    /// The relay refused the login (NIP-42). Returns `true` if it refused none before on this connection.
    pub(super) fn login_refused(&mut self, reason: &str) -> bool {
        let is_first = !matches!(self.login, Login::Refused(_));
        self.login = Login::Refused(reason.to_owned());
        is_first
    }

    /// Why the relay refused the login, if it did.
    pub(super) fn refused_login(&self) -> Option<&str> {
        if let Login::Refused(reason) = &self.login { Some(reason) } else { None }
    }

    /// Whether it waits for a login, as far as is known.
    pub(super) fn awaits_login(&self) -> bool {
        self.login == Login::AskedFor
    }

    /// The relay accepted the login (NIP-42).
    pub(super) fn authenticated(&mut self, now: Instant) -> Step {
        self.login = Login::Accepted;
        if matches!(self.phase, Phase::Closed { for_login: true, .. }) { self.ask(now) } else { Step::Stay }
    }

    /// The relay sent a notice. `objects`: the subscription may have ended.
    pub(super) fn noticed(&mut self, objects: bool, now: Instant) -> Step {
        self.silent = false;
        let Phase::Open { check, .. } = &mut self.phase else { return Step::Stay };
        if objects && self.objections < BELIEVED {
            return self.leave(now);
        }
        let every = if objects { CHECK_OBJECTION_EVERY } else { CHECK_EVERY };
        let due = after(self.checked, every, now + CHECK_AFTER);
        match check {
            None => *check = Some(Check::Due(due)),
            Some(Check::Due(at)) => *at = due.min(*at),
            Some(Check::Asked(_)) => {}
        }
        Step::Stay
    }

    /// The relay sent something that Portico does not know. `objects`: the subscription may have ended.
    pub(super) fn wondered(&mut self, frame: &str, objects: bool, now: Instant) -> Step {
        self.unanswered(frame);
        self.noticed(objects, now)
    }

    /// The relay sent something that Portico did not ask for, and that does not end an open subscription. In
    /// place of an answer, it is no silence.
    pub(super) fn unanswered(&mut self, frame: &str) {
        if matches!(self.phase, Phase::Asked(_)) {
            self.silent = false;
            self.strange = Some(frame.to_owned());
        }
    }

    /// What the relay sent in place of an answer, if Portico does not know it.
    pub(super) fn strange(&self) -> Option<&str> {
        self.strange.as_deref()
    }

    /// Asks at once the first time, then with growing waits.
    fn leave(&mut self, now: Instant) -> Step {
        let wait = backoff::delay(self.retry, self.objections);
        self.objections += 1;
        if wait.is_zero() {
            return self.ask(now);
        }
        self.phase = Phase::Closed { until: now + wait, for_login: false };
        Step::Wait
    }

    /// Frames of this relay were dropped.
    pub(super) fn lost(&mut self, now: Instant) -> Step {
        if let Phase::Open { recover: recover @ None, .. } = &mut self.phase {
            *recover = Some(after(self.recovered, RECOVER_EVERY, now + RECOVER_AFTER));
        }
        Step::Stay
    }

    /// When to call [`Subscription::due`], unless something happens before.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.phase {
            Phase::Asked(until) | Phase::Closed { until, .. } => Some(until),
            Phase::Open { recover, check, .. } => [recover, check.map(Check::at)].into_iter().flatten().min(),
        }
    }

    /// Call this at the moment that [`Subscription::next`] returned.
    pub(super) fn due(&mut self, now: Instant) -> Step {
        match &mut self.phase {
            Phase::Asked(_) if self.silent => self.open(now),
            Phase::Asked(_) => self.doubt(now),
            Phase::Closed { .. } => self.ask(now),
            Phase::Open { check: Some(check), .. } if check.at() <= now => match *check {
                Check::Due(_) => {
                    self.checked = Some(now);
                    *check = Check::Asked(now + self.eose_timeout);
                    Step::Check
                }
                // Only a notice leads to this question.
                Check::Asked(_) => self.doubt(now),
            },
            Phase::Open { recover, .. } => {
                self.recovered = Some(now);
                *recover = None;
                Step::Recover
            }
        }
    }

    fn ask(&mut self, now: Instant) -> Step {
        self.phase = Phase::Asked(now + self.eose_timeout);
        Step::Ask
    }

    fn open(&mut self, now: Instant) -> Step {
        self.phase = Phase::Open { since: now, recover: None, check: None };
        Step::Ready
    }

    fn confirmed(&mut self, now: Instant) -> Step {
        match &mut self.phase {
            Phase::Asked(_) => self.open(now),
            Phase::Open { check: check @ Some(Check::Asked(_)), .. } => {
                *check = None;
                Step::Stay
            }
            Phase::Open { .. } | Phase::Closed { .. } => Step::Stay,
        }
    }

    fn doubt(&mut self, now: Instant) -> Step {
        self.objections = 0;
        self.wait(false, now);
        Step::Doubt
    }

    fn wait(&mut self, for_login: bool, now: Instant) {
        // A relay that opens it and closes it again and again is asked less and less often.
        if matches!(self.phase, Phase::Open { since, .. } if now - since >= backoff::LONGEST) {
            self.closed = 0;
        }
        self.closed = self.closed.saturating_add(1);
        self.phase = Phase::Closed { until: now + backoff::delay(self.retry, self.closed), for_login };
    }
}

impl Check {
    fn at(self) -> Instant {
        match self {
            Self::Due(at) | Self::Asked(at) => at,
        }
    }
}

/// The later one of `soon` and this long after the `last` time.
fn after(last: Option<Instant>, interval: Duration, soon: Instant) -> Instant {
    last.map_or(soon, |last| soon.max(last + interval))
}

#[cfg(test)]
mod tests;
