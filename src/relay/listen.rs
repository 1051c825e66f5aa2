//! One connection to one relay: keeps the subscription open, and handles frames other than events.

use nostr_sdk::prelude::{EventId, MachineReadablePrefix};
use tokio::time::Instant;

use super::budget::Waste;
use super::error::{Instead, LinkError};
use super::health::RelayState;
use super::link::{Link, sleep_until};
use super::objection;
use super::readiness::Ready;
use super::refusal::{self, Refusal};
use super::signal::Signal;
use super::subscription::{Step, Subscription};
use super::tap::{Connection, Control};
use crate::quoted::one_line;
use crate::shown;

/// Longer texts of relays are cut to this many characters.
const MAX_REASON: usize = 200;

impl Link {
    /// Looks after one connection; returns when it has ended.
    pub(super) async fn listen(&self, mut connection: Connection) {
        let options = &self.shared.options;
        let doubted = self.tap.is_doubted();
        let (mut subscription, first) =
            Subscription::new(options.retry, options.eose_timeout, doubted, Instant::now());
        // Dropped with the connection: then it is not ready any more.
        let mut ready: Option<Ready> = None;
        if self.spec.read {
            self.take(first, &mut subscription, &mut ready);
        } else {
            self.take(Step::Ready, &mut subscription, &mut ready);
        }
        loop {
            let due = subscription.next().filter(|_| self.spec.read);
            let step = tokio::select! {
                control = connection.controls.recv() => match control {
                    None => return,
                    Some(control) => {
                        let step = self.hear(control, &mut subscription);
                        // Most of these frames are useful. This charge only matters if there are very many.
                        self.tap.charge(Waste::Useless);
                        self.tap.rest().await;
                        step
                    }
                },
                () = self.tap.lost.notified() => subscription.lost(Instant::now()),
                () = sleep_until(due) => subscription.due(Instant::now()),
            };
            self.take(step, &mut subscription, &mut ready);
        }
    }

    fn take(&self, step: Step, subscription: &mut Subscription, ready: &mut Option<Ready>) {
        // Before the question goes out, so that no event comes before.
        self.tap.doubt(self.spec.read && subscription.is_doubted(), subscription.awaits_event());
        match step {
            Step::Stay => {}
            Step::Ready => {
                *ready = self.is_a_way_in().then(|| self.shared.readiness.enter());
                self.enter(RelayState::Ready);
                self.open_lane();
                tracing::info!(relay = %shown::relay(&self.spec.url), "ready");
            }
            // Send nothing to a relay without a subscription: Portico would not receive the answer.
            Step::Ask | Step::Wait | Step::Doubt => {
                *ready = None;
                self.close_lane();
                self.enter(RelayState::Subscribing);
                if step == Step::Doubt {
                    self.ended(LinkError::Unconfirmed(self.said_instead(subscription)));
                }
                if step == Step::Ask && !self.subscribe() {
                    subscription.unsent(Instant::now());
                }
            }
            Step::Check => {
                self.subscribe();
            }
            Step::Recover => {
                tracing::warn!(relay = %shown::relay(&self.spec.url), "frames were dropped; subscribing and publishing again");
                self.subscribe();
                self.refill();
            }
        }
    }

    /// The subscription has ended, or may have ended.
    fn ended(&self, error: LinkError) {
        self.tap.health.tally.closed.up();
        tracing::warn!(relay = %shown::relay(&self.spec.url), %error, "subscribing again");
        self.tap.health.failed(error);
    }

    /// What the relay sent in place of a confirmation of the subscription.
    fn said_instead(&self, subscription: &Subscription) -> Instead {
        if let Some(reason) = subscription.refused_login() {
            return Instead::LoginRefused(reason.to_owned());
        }
        let status = self.tap.health.status();
        let strange = subscription.strange().map(str::to_owned);
        match (status.last_error, status.last_notice) {
            (Some(LinkError::SubscriptionClosed(reason)), _)
            | (Some(LinkError::Unconfirmed(Instead::Closed(reason))), _) => Instead::Closed(reason),
            _ if strange.is_some() => Instead::Strange(strange.unwrap_or_default()),
            (_, Some(notice)) => Instead::Notice(notice),
            (_, None) if subscription.awaits_login() => Instead::Login,
            (_, None) => Instead::Nothing,
        }
    }

    fn hear(&self, control: Control, subscription: &mut Subscription) -> Step {
        let now = Instant::now();
        match control {
            Control::LoginAskedFor => subscription.login_asked_for(),
            Control::Authenticated => {
                // The relay may accept now what it refused without a login.
                self.refill();
                subscription.authenticated(now)
            }
            Control::LoginRefused(reason) => {
                self.hear_login_refused(&reason, subscription);
                Step::Stay
            }
            // Where we do not subscribe there is no subscription to end.
            Control::Eose | Control::Delivered | Control::Closed(_) if !self.spec.read => Step::Stay,
            Control::Eose => subscription.eose(now),
            Control::Delivered => subscription.delivered(now),
            Control::Closed(reason) => {
                let for_login =
                    MachineReadablePrefix::parse(&reason) == Some(MachineReadablePrefix::AuthRequired);
                let step = subscription.closed(for_login, now);
                if step != Step::Stay {
                    self.ended(LinkError::SubscriptionClosed(reason));
                }
                step
            }
            Control::Verdict { id, accepted, reason } => {
                if !self.hear_verdict(id, accepted, &reason) && !accepted && self.spec.read {
                    subscription.unanswered(&format!(r#"["OK","{id}",false,"{reason}"]"#));
                }
                Step::Stay
            }
            Control::Strange { frame, may_end } => self.hear_strange(frame, may_end, subscription),
            Control::Notice(text) => {
                if self.tap.health.noticed(&text) {
                    tracing::info!(relay = %shown::relay(&self.spec.url), notice = text, "the relay sent a notice");
                }
                if !self.spec.read {
                    return Step::Stay;
                }
                let step = subscription.noticed(objection::objects(&text), now);
                if step != Step::Stay {
                    self.ended(LinkError::Objection(text));
                }
                step
            }
        }
    }

    fn hear_login_refused(&self, reason: &str, subscription: &mut Subscription) {
        self.tap.health.refused_login(reason);
        // Once a connection: the relay decides how often it says so.
        if subscription.login_refused(reason) {
            tracing::warn!(relay = %shown::relay(&self.spec.url), reason, "the relay refused Portico's login (NIP-42)");
        }
    }

    fn hear_strange(&self, frame: String, may_end: bool, subscription: &mut Subscription) -> Step {
        self.tap.wondered();
        if !self.spec.read {
            return Step::Stay;
        }
        if !may_end {
            subscription.unanswered(&frame);
            return Step::Stay;
        }
        let step = subscription.wondered(&frame, objection::objects(&frame), Instant::now());
        if step != Step::Stay {
            self.ended(LinkError::Strange(frame));
        }
        step
    }

    /// The relay accepted or refused an event. Returns `false` if Portico did not send it.
    fn hear_verdict(&self, id: EventId, accepted: bool, reason: &str) -> bool {
        let refusal = refusal::classify(reason);
        let accepted = accepted || refusal == Refusal::Known;
        if accepted {
            self.tap.health.tally.accepted.up();
        } else {
            self.tap.health.refused(reason);
        }
        let open = self.shared.outbox.get(&id);
        let waiting = self.verdicts.remove(&id);
        let is_ours = open.is_some() || waiting.is_some();
        if let Some((_, waiting)) = waiting {
            // The caller that waited may have given up.
            let _ = waiting.send((accepted, reason.to_owned()));
        }
        let Some(open) = open.filter(|_| !accepted && refusal != Refusal::Later) else { return is_ours };
        // A verdict counts only for an event that this relay was sent, and only once.
        if open.is_for(&self.spec.url, self.is_general()) && open.refuse(&self.spec.url) {
            let signal = Signal::Refused {
                event_id: id,
                relay: self.spec.url.clone(),
                reason: reason.to_owned(),
                too_old: refusal == Refusal::TooOld,
            };
            // At most once for each relay of a publication. The store may take long, and this task must go on
            // listening.
            self.shared.tasks.spawn(self.stop.clone(), self.shared.handling.clone().handle(signal));
        }
        is_ours
    }
}

/// A relay's text, safe to log: short and without control characters.
pub(super) fn shortened(text: &str) -> String {
    one_line(text, MAX_REASON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_cannot_write_lines_of_its_own_into_the_log() {
        assert_eq!(shortened("error: a\nb\u{1b}[31m"), "error: ab[31m");
        assert_eq!(shortened(&"x".repeat(5000)).len(), MAX_REASON);
    }
}
