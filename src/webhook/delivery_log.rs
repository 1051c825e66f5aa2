//! Logs the result of a delivery.

use std::sync::{Mutex, PoisonError};

use super::receiver::{Answer, Failure};
use crate::store::{Attempt, Delivery};

/// From this failed attempt of an event on, each failure is logged as a warning.
const WORTH_A_WARNING: u32 = 5;

/// The kinds of failure of the receiver since it last accepted an event.
#[derive(Debug, Default)]
pub(super) struct DeliveryLog(Mutex<Vec<Failure>>);

impl DeliveryLog {
    /// Logs the result of a delivery. A kind of failure that is new for the receiver is a warning.
    pub(super) fn record(&self, delivery: &Delivery, answer: Answer, attempt: &Attempt) {
        let Delivery { stream, index, .. } = delivery;
        // This one included.
        let attempts = delivery.attempts + 1;
        let is_new = self.is_new(answer);
        let reason = reason(answer);
        match attempt {
            Attempt::Delivered => tracing::debug!(stream_id = %stream, index, "event delivered"),
            Attempt::Again { next_at, error } if is_new || attempts >= WORTH_A_WARNING => {
                tracing::warn!(stream_id = %stream, index, attempts, error, reason, %next_at, "event not delivered yet");
            }
            Attempt::Again { next_at, error } => {
                tracing::info!(stream_id = %stream, index, attempts, error, reason, %next_at, "event not delivered yet");
            }
            Attempt::GivenUp { error } => {
                tracing::error!(stream_id = %stream, index, attempts, error, reason, "event not delivered; Portico gave up (`portico webhooks retry` starts again)");
            }
        }
    }

    /// Whether this kind of failure is new since the receiver last accepted an event.
    fn is_new(&self, answer: Answer) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Answer::Taken => {
                known.clear();
                false
            }
            Answer::Failed { failure, .. } => {
                let is_new = !known.contains(&failure);
                if is_new {
                    known.push(failure);
                }
                is_new
            }
            Answer::Unusable => false,
        }
    }
}

/// Why the event was not delivered, for people.
fn reason(answer: Answer) -> Option<String> {
    match answer {
        Answer::Taken => None,
        Answer::Failed { failure, .. } => Some(failure.text()),
        Answer::Unusable => Some("the event in the store is unreadable".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::TlsFault;

    #[test]
    fn a_failure_is_new_once_until_the_receiver_takes_an_event() {
        let failed = |failure| Answer::Failed { failure, retry_after: None };
        let log = DeliveryLog::default();
        for (answer, is_new) in [
            (failed(Failure::TimedOut), true),
            (failed(Failure::TimedOut), false),
            (failed(Failure::Tls(TlsFault::WrongName)), true),
            (failed(Failure::Tls(TlsFault::Expired)), true),
            (failed(Failure::Status(500)), true),
            (failed(Failure::Status(503)), true),
            (Answer::Unusable, false),
            (failed(Failure::TimedOut), false),
            (failed(Failure::Status(500)), false),
            (Answer::Taken, false),
            (failed(Failure::TimedOut), true),
        ] {
            assert_eq!(log.is_new(answer), is_new, "{answer:?}");
        }
    }
}
