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
//! subscription as it is (NIP-01).

use std::time::Duration;

use tokio::time::Instant;

use super::backoff;

/// After a loss, wait so long for the flood that caused it to pass before making up for it …
const RECOVER_AFTER: Duration = Duration::from_secs(1);

/// … and do so at most once per this time.
const RECOVER_EVERY: Duration = Duration::from_secs(10);

/// After a notice, wait so long for others before asking whether the subscription is still open …
const CHECK_AFTER: Duration = Duration::from_secs(1);

/// … and do so at most once per this time.
const CHECK_EVERY: Duration = Duration::from_secs(60);

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
    /// The relay accepted it (NIP-42).
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

    /// The relay accepted our login (NIP-42).
    pub(super) fn authenticated(&mut self, now: Instant) -> Step {
        self.login = Login::Accepted;
        if matches!(self.phase, Phase::Closed { for_login: true, .. }) { self.ask(now) } else { Step::Stay }
    }

    /// The relay said something for people.
    pub(super) fn noticed(&mut self, now: Instant) -> Step {
        self.silent = false;
        if let Phase::Open { check: check @ None, .. } = &mut self.phase {
            *check = Some(Check::Due(after(self.checked, CHECK_EVERY, now + CHECK_AFTER)));
        }
        Step::Stay
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
mod tests {
    use super::*;

    const RETRY: Duration = Duration::from_secs(1);
    const EOSE: Duration = Duration::from_secs(5);

    fn asked() -> (Subscription, Instant) {
        let now = Instant::now();
        let (subscription, step) = Subscription::new(RETRY, EOSE, false, now);
        assert_eq!(step, Step::Ask);
        (subscription, now)
    }

    #[test]
    fn it_is_ready_at_eose_and_only_once() {
        let (mut subscription, now) = asked();
        assert_eq!(subscription.eose(now), Step::Ready);
        assert_eq!(subscription.eose(now), Step::Stay);
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
            assert_eq!(subscription.eose(now), Step::Stay, "an EOSE that comes too late opens nothing");
            let next = subscription.next().unwrap();
            waits.push((next - now).as_secs());
            now = next;
            assert_eq!(subscription.due(now), Step::Ask);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn a_relay_that_opens_and_closes_it_again_and_again_is_asked_less_and_less_often() {
        let (mut subscription, mut now) = asked();
        let mut waits = Vec::new();
        for held in [1, 1, 1, 1, 60, 1] {
            assert_eq!(subscription.eose(now), Step::Ready);
            now += Duration::from_secs(held);
            assert_eq!(subscription.closed(false, now), Step::Wait);
            assert_eq!(subscription.closed(false, now), Step::Stay, "closed is closed");
            let next = subscription.next().unwrap();
            waits.push((next - now).as_secs());
            now = next;
            assert_eq!(subscription.due(now), Step::Ask);
        }
        assert_eq!(waits, [1, 2, 4, 8, 1, 2]);
    }

    #[test]
    fn a_notice_in_place_of_eose_is_no_readiness_and_it_asks_again_less_and_less_often() {
        let (mut subscription, mut now) = asked();
        for wait in [1, 2, 4] {
            assert_eq!(subscription.noticed(now), Step::Stay);
            now = subscription.next().unwrap();
            assert_eq!(subscription.due(now), Step::Doubt);
            let next = subscription.next().unwrap();
            assert_eq!((next - now).as_secs(), wait);
            now = next;
            assert_eq!(subscription.due(now), Step::Ask);
        }
        assert_eq!(subscription.noticed(now), Step::Stay);
        assert_eq!(subscription.eose(now), Step::Ready, "an EOSE removes the doubt");
    }

    #[test]
    fn silence_is_no_yes_of_a_relay_that_has_said_anything_else_before() {
        type Act = fn(&mut Subscription, Instant) -> Step;
        let said: [(&str, Act); 6] = [
            ("EOSE, CLOSED", |it, now| [it.eose(now), it.closed(false, now)][1]),
            ("CLOSED", |it, now| it.closed(false, now)),
            ("CLOSED for want of a login", |it, now| it.closed(true, now)),
            ("EOSE, NOTICE", |it, now| [it.eose(now), it.noticed(now)][1]),
            ("NOTICE", |it, now| it.noticed(now)),
            ("silence, NOTICE", |it, now| [it.due(now), it.noticed(now)][1]),
        ];
        for (what, say) in said {
            let (mut subscription, mut now) = asked();
            say(&mut subscription, now);
            let mut doubts = 0;
            while doubts < 4 {
                now = subscription.next().unwrap();
                let step = subscription.due(now);
                assert_ne!(step, Step::Ready, "{what}");
                doubts += usize::from(step == Step::Doubt);
            }
            assert_eq!(subscription.delivered(now), Step::Stay, "it is not asked for");
            now = subscription.next().unwrap();
            assert_eq!((subscription.due(now), subscription.is_doubted()), (Step::Ask, true));
            assert_eq!(subscription.delivered(now), Step::Ready, "{what}, and then an event");
            assert_eq!((subscription.next(), subscription.is_doubted()), (None, false));
        }
    }

    #[test]
    fn an_event_shows_that_a_subscription_that_is_asked_about_is_still_open() {
        let (mut subscription, now) = asked();
        subscription.eose(now);
        subscription.noticed(now);
        let now = subscription.next().unwrap();
        assert_eq!((subscription.due(now), subscription.awaits_event()), (Step::Check, true));
        assert_eq!((subscription.delivered(now), subscription.next()), (Step::Stay, None));
    }

    #[test]
    fn a_new_connection_starts_afresh_unless_the_one_before_ended_in_doubt() {
        let now = Instant::now();
        for (doubted, expected) in [(false, Step::Ready), (true, Step::Doubt)] {
            let (mut subscription, _) = Subscription::new(RETRY, EOSE, doubted, now);
            assert_eq!((subscription.awaits_event(), subscription.due(now + EOSE)), (doubted, expected));
        }
    }

    #[test]
    fn a_question_that_could_not_be_sent_is_not_the_relays_word() {
        let (mut subscription, now) = asked();
        subscription.unsent(now);
        let now = subscription.next().unwrap();
        assert_eq!((subscription.due(now), subscription.due(now + EOSE)), (Step::Ask, Step::Ready));
    }

    #[test]
    fn after_a_notice_an_open_subscription_has_to_be_confirmed_at_most_once_a_minute() {
        let (mut subscription, now) = asked();
        subscription.eose(now);
        subscription.noticed(now);
        subscription.noticed(now);
        let first = subscription.next().unwrap();
        assert_eq!(first, now + CHECK_AFTER);
        assert_eq!(subscription.due(first), Step::Check);
        assert_eq!(subscription.eose(first), Step::Stay);
        assert_eq!(subscription.next(), None);

        subscription.noticed(first);
        let second = subscription.next().unwrap();
        assert_eq!(second, first + CHECK_EVERY);
        assert_eq!(subscription.due(second), Step::Check);
        assert_eq!(subscription.due(second + EOSE), Step::Doubt, "it confirmed before and does not now");
        assert_eq!(subscription.next(), Some(second + EOSE + RETRY));
    }

    #[test]
    fn closed_for_want_of_a_login_it_asks_again_at_once_when_logged_in() {
        let (mut subscription, now) = asked();
        assert_eq!(subscription.closed(true, now), Step::Wait);
        assert_eq!(subscription.authenticated(now), Step::Ask);
        assert_eq!(subscription.eose(now), Step::Ready);
        assert_eq!(subscription.closed(true, now), Step::Ask);
        assert_eq!(subscription.closed(true, now), Step::Wait, "but does not spin");
    }

    #[test]
    fn losses_are_made_up_for_but_a_flood_does_not_make_us_flood() {
        let (mut subscription, now) = asked();
        subscription.eose(now);
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
