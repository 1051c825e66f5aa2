//! The course of our one subscription on one connection. Pure: time is an argument.
//!
//! nostr-sdk's own re-subscription compares whole seconds and so forgets one after a quick reconnect, and it
//! gives up for good on most `CLOSED` messages. This neither forgets nor gives up.
//!
//! Not all relays send `EOSE`. So silence counts as a yes, but only from a relay that has said nothing else on this
//! connection: after an `EOSE`, a `CLOSED` or a `NOTICE`, silence is a doubt, and only another `EOSE` or an event
//! of the subscription shows that it is open.
//!
//! A `NOTICE` is for people, and some relays send nothing else where they refuse a subscription or end it. In place
//! of an `EOSE` it means that the subscription is not open. Later on it makes us ask again, which keeps an open
//! subscription as it is (NIP-01). Until that is answered, the subscription counts as closed if the notice
//! [objects](super::objection), and as open if it does not. A relay that objects again and again and confirms the
//! subscription each time has other reasons to object: after a few times it stays ready while it is asked.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff;

/// After a loss, wait so long for the flood that caused it to pass before making up for it …
const RECOVER_AFTER: Duration = Duration::from_secs(1);

/// … and do so at most once per this time.
const RECOVER_EVERY: Duration = Duration::from_secs(10);

/// After a notice, wait so long for others before asking whether the subscription is still open …
const CHECK_AFTER: Duration = Duration::from_secs(1);

/// … and do so at most once per this time …
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// … or this one, if the relay objects.
const CHECK_OBJECTION_EVERY: Duration = Duration::from_secs(10);

/// So many objections end the readiness of a relay that confirms the subscription after each.
const BELIEVED: u32 = 3;

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
    /// The relay said something, but not that the subscription is open: take it for closed, for a while.
    Doubt,
    /// Send the `REQ` again: the relay may have closed the subscription.
    Check,
    /// Send the `REQ` again and publish again what is open: frames were dropped.
    Recover,
}

#[derive(Debug)]
pub(super) struct Subscription {
    retry: Duration,
    eose_timeout: Duration,
    phase: Phase,
    /// How often it was closed, without being open for long in between.
    closed: u32,
    /// On this connection the relay has confirmed nothing, refused nothing and told people nothing: silence is its
    /// way to say yes.
    silent: bool,
    /// How many objections have ended its readiness since it last did not hold the subscription.
    objections: u32,
    login: Login,
    recovered: Option<Instant>,
    checked: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    /// A `REQ` is not answered. Silence until then is an answer, too.
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

/// Is an open subscription still open?
#[derive(Debug, Clone, Copy)]
enum Check {
    Due(Instant),
    Asked(Instant),
}

#[derive(Debug, PartialEq, Eq)]
enum Login {
    None,
    /// The relay asked for one (NIP-42).
    AskedFor,
    /// The relay accepted it.
    Accepted,
    /// … and what it refused for want of it was asked again since.
    Used,
}

impl Subscription {
    /// On a new connection; the first step is to ask. `doubted`: the connection before ended in doubt.
    pub(super) fn new(retry: Duration, eose_timeout: Duration, doubted: bool, now: Instant) -> (Self, Step) {
        let new = Self {
            retry,
            eose_timeout,
            phase: Phase::Asked(now + eose_timeout),
            closed: 0,
            silent: !doubted,
            objections: 0,
            login: Login::None,
            recovered: None,
            checked: None,
        };
        (new, Step::Ask)
    }

    /// The relay has sent all it had stored.
    pub(super) fn eose(&mut self, now: Instant) -> Step {
        self.silent = false;
        self.confirmed(now)
    }

    /// An event of the subscription came where [`Subscription::awaits_event`].
    pub(super) fn delivered(&mut self, now: Instant) -> Step {
        if self.awaits_event() { self.confirmed(now) } else { Step::Stay }
    }

    /// Would an event show that the subscription is open, where silence would not?
    pub(super) fn awaits_event(&self) -> bool {
        let is_asked =
            matches!(self.phase, Phase::Asked(_) | Phase::Open { check: Some(Check::Asked(_)), .. });
        is_asked && self.is_doubted()
    }

    /// Silence would not show that the subscription is open, and nothing else has shown it since.
    pub(super) fn is_doubted(&self) -> bool {
        !self.silent && !matches!(self.phase, Phase::Open { check: None | Some(Check::Due(_)), .. })
    }

    /// It could not be asked for.
    pub(super) fn unsent(&mut self, now: Instant) {
        self.wait(false, now);
    }

    /// The relay closed it. `for_login`: because we are not logged in.
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

    /// The relay asked us to log in (NIP-42). Relays that know this protocol know `EOSE`, too.
    pub(super) fn login_asked_for(&mut self) -> Step {
        self.silent = false;
        if self.login == Login::None {
            self.login = Login::AskedFor;
        }
        Step::Stay
    }

    /// Does it wait for a login, as far as we know?
    pub(super) fn awaits_login(&self) -> bool {
        self.login == Login::AskedFor
    }

    /// The relay accepted our login (NIP-42).
    pub(super) fn authenticated(&mut self, now: Instant) -> Step {
        self.login = Login::Accepted;
        if matches!(self.phase, Phase::Closed { for_login: true, .. }) { self.ask(now) } else { Step::Stay }
    }

    /// The relay said something for people. `objects`: the subscription may have ended.
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

    /// The first time it asks at once, then later and later.
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

    /// The moment [`Subscription::next`] named has come.
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

/// The moment `soon`, or later, so long after the `last` time.
fn after(last: Option<Instant>, interval: Duration, soon: Instant) -> Instant {
    last.map_or(soon, |last| soon.max(last + interval))
}

#[cfg(test)]
mod tests;
