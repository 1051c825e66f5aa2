//! The state and the counters of each relay, for operators.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nostr_sdk::prelude::RelayUrl;
use tokio::time::Instant;

use super::error::{LinkError, stated};
use crate::clock::Timestamp;

/// Who named a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The operator.
    Operator,
    /// A user's wallet: connected under conditions, and for a limited time.
    Preferred,
}

/// The state of the connection to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayState {
    /// Not connected; Portico keeps trying.
    Connecting,
    /// Connected, but not (or no longer) subscribed.
    Subscribing,
    /// Portico does not connect for a while: the relay kept sending forged events or events that were not
    /// requested.
    Paused,
    /// Connected and subscribed: Portico receives and publishes over it.
    Ready,
}

/// A relay and its state now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHealth {
    /// The URL of the relay.
    pub url: RelayUrl,
    /// Who named it.
    pub origin: Origin,
    /// Whether Portico subscribes there.
    pub read: bool,
    /// Whether Portico publishes there.
    pub write: bool,
    /// The state of the connection.
    pub state: RelayState,
    /// Since when the relay has been ready without interruption.
    pub ready_since: Option<Timestamp>,
    /// The round trip time of the last ping, on this connection or the one before (RFC 6455 §5.5.2).
    pub latency: Option<Duration>,
    /// The last error; cleared when the relay becomes ready.
    pub last_error: Option<LinkError>,
    /// The last `NOTICE`, shortened, for people.
    pub last_notice: Option<String>,
    /// The reason of the last refused event or login (`OK` with `false`), shortened, for people; may be empty.
    pub last_refusal: Option<String>,
    /// Counters since the relay was added.
    pub counters: Counters,
    /// Event frames that wait to be verified.
    pub queued: usize,
}

impl RelayHealth {
    /// Whether a wallet can log in over it now: login URLs name it, and Portico is subscribed there.
    pub fn is_ready_for_logins(&self) -> bool {
        self.origin == Origin::Operator && self.read && self.write && self.state == RelayState::Ready
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// How often something has happened at a relay since it was added.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counters { $($(#[$doc])* pub $name: u64),+ }

        impl std::ops::AddAssign for Counters {
            fn add_assign(&mut self, other: Self) { $(self.$name += other.$name;)+ }
        }

        /// The live counters behind [`RelayCounters`].
        #[derive(Debug, Default)]
        pub(super) struct Tally { $(pub(super) $name: Count),+ }

        impl Tally {
            pub(super) fn read(&self) -> Counters {
                Counters { $($name: self.$name.get()),+ }
            }
        }
    };
}

counters! {
    /// Connections made.
    connected,
    /// Events sent, repetitions included.
    sent,
    /// Events that the relay accepted.
    accepted,
    /// Events that the relay refused, for now or permanently.
    refused,
    /// How often the relay closed our subscription, did not confirm it, or may have ended it.
    closed,
    /// `NOTICE` messages.
    notices,
    /// Event frames of our subscription.
    received,
    /// Events dropped because nothing waits for them.
    unwanted,
    /// Events dropped as duplicates.
    duplicates,
    /// Events with a wrong id or signature.
    forged,
    /// Frames that are malformed, too long, or were not requested.
    garbage,
    /// Frames dropped because the queue for them was full.
    dropped,
    /// Events that had to wait because the inbox was full.
    stalled,
}

/// A counter that many tasks can increment.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Adds one.
    pub(super) fn up(&self) {
        self.add(1);
    }

    /// Adds this many.
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The changing half of [`RelayHealth`].
#[derive(Debug)]
pub(super) struct Health {
    pub(super) tally: Tally,
    status: Mutex<Status>,
}

#[derive(Debug, Clone)]
pub(super) struct Status {
    pub(super) state: RelayState,
    /// When it came to this state.
    pub(super) since: Timestamp,
    pub(super) last_error: Option<LinkError>,
    pub(super) last_notice: Option<String>,
    pub(super) last_refusal: Option<String>,
    /// When a notice of this relay was last logged.
    notice_logged: Option<Instant>,
    pub(super) latency: Option<Duration>,
    /// What the unanswered ping carries, and when it was sent.
    pinged: Option<([u8; 8], Instant)>,
}

impl Health {
    pub(super) fn new(now: Timestamp) -> Self {
        let status = Status {
            state: RelayState::Connecting,
            since: now,
            last_error: None,
            last_notice: None,
            last_refusal: None,
            notice_logged: None,
            latency: None,
            pinged: None,
        };
        Self { tally: Tally::default(), status: Mutex::new(status) }
    }

    pub(super) fn status(&self) -> Status {
        self.lock().clone()
    }

    /// The state changed. Becoming ready clears the last error.
    pub(super) fn enter(&self, state: RelayState, now: Timestamp) {
        let mut status = self.lock();
        if status.state != state {
            status.since = now;
        }
        status.state = state;
        if state == RelayState::Ready {
            status.last_error = None;
        }
    }

    /// Records an error. Returns `true` if it differs from the last one.
    pub(super) fn failed(&self, error: LinkError) -> bool {
        let mut status = self.lock();
        let is_new = status.last_error.as_ref() != Some(&error);
        status.last_error = Some(error);
        is_new
    }

    /// Records a notice. Returns `true` if it should be logged; the log takes one of a relay in a while.
    pub(super) fn noticed(&self, text: &str) -> bool {
        const LOGGED_EVERY: Duration = Duration::from_secs(60);

        self.tally.notices.up();
        let mut status = self.lock();
        status.last_notice = Some(text.to_owned());
        let now = Instant::now();
        let is_due = status.notice_logged.is_none_or(|logged| now - logged >= LOGGED_EVERY);
        if is_due {
            status.notice_logged = Some(now);
        }
        is_due
    }

    /// Records that the relay refused an event.
    pub(super) fn refused(&self, reason: &str) {
        self.tally.refused.up();
        self.lock().last_refusal = Some(reason.to_owned());
    }

    /// A connection was made. A ping on the one before gets no answer any more.
    pub(super) fn connected(&self) {
        self.tally.connected.up();
        self.lock().pinged = None;
    }

    /// Records that the relay refused our login (NIP-42).
    pub(super) fn refused_login(&self, reason: &str) {
        self.lock().last_refusal = Some(format!("login (NIP-42): {}", stated(reason)));
    }

    /// A ping with this payload is about to be sent. Returns `false` if the one before was not answered.
    pub(super) fn pings(&self, payload: [u8; 8]) -> bool {
        self.lock().pinged.replace((payload, Instant::now())).is_none()
    }

    /// A pong arrived. If it does not carry what the unanswered ping carried, it means nothing: a relay may
    /// send pongs that answer no ping (RFC 6455 §5.5.3).
    pub(super) fn ponged(&self, payload: &[u8]) {
        let mut status = self.lock();
        if let Some((_, sent)) = status.pinged.take_if(|(expected, _)| *expected == payload) {
            status.latency = Some(sent.elapsed());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pong_that_answers_no_ping_neither_ends_the_connection_nor_counts_as_an_answer() {
        let health = Health::new(Timestamp::from_secs(1));
        health.ponged(b"unasked!");
        assert!(health.pings(*b"the ping"));
        for payload in [&b""[..], b"unasked!", b"the ping, and more"] {
            health.ponged(payload);
        }
        assert_eq!(health.status().latency, None);
        tokio::time::advance(Duration::from_secs(1)).await;
        health.ponged(b"the ping");
        assert_eq!(health.status().latency, Some(Duration::from_secs(1)));
        assert!(health.pings(*b"the next"), "the first one was answered");
        assert!(!health.pings(*b"the last"), "the next one was not");
        health.connected();
        assert!(health.pings(*b"the last"), "this is another connection");
    }
}
