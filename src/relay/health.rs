//! How each relay is doing, for operators.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nostr_sdk::prelude::RelayUrl;
use tokio::time::Instant;

use super::error::LinkError;
use crate::clock::Timestamp;

/// Who named a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The operator.
    Operator,
    /// A user's wallet: connected under conditions, and not for ever.
    Preferred,
}

/// How far the connection to a relay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayState {
    /// Not connected; being tried again and again.
    Connecting,
    /// Connected, but not (or no longer) subscribed.
    Subscribing,
    /// Not connected for a while: it kept sending what was forged or never asked for.
    Paused,
    /// Connected and subscribed: what is sent to us arrives, what we publish is sent.
    Ready,
}

/// A relay, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHealth {
    /// Where it is.
    pub url: RelayUrl,
    /// Who named it.
    pub origin: Origin,
    /// Subscribed at.
    pub read: bool,
    /// Published to.
    pub write: bool,
    /// How far the connection is.
    pub state: RelayState,
    /// Since when it has been ready without a break.
    pub ready_since: Option<Timestamp>,
    /// How long the last ping took to be answered, on this connection or the one before (RFC 6455 §5.5.2).
    pub latency: Option<Duration>,
    /// What went wrong last; cleared when it becomes ready.
    pub last_error: Option<LinkError>,
    /// What it last had to say (`NOTICE`), shortened, for people.
    pub last_notice: Option<String>,
    /// Why it last refused an event (`OK` with `false`), shortened, for people; it may be empty.
    pub last_refusal: Option<String>,
    /// What has passed since it was added.
    pub counters: Counters,
    /// Event frames that wait to be looked at.
    pub queued: usize,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// How often something has happened at a relay since it was added.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counters { $($(#[$doc])* pub $name: u64),+ }

        impl std::ops::AddAssign for Counters {
            fn add_assign(&mut self, other: Self) { $(self.$name += other.$name;)+ }
        }

        /// The same, while it is counted.
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
    /// Events it acknowledged.
    accepted,
    /// Events it refused, for now or for good.
    refused,
    /// How often it has closed our subscription, would not confirm it, or may have ended it.
    closed,
    /// `NOTICE` messages.
    notices,
    /// Event frames of our subscription.
    received,
    /// Events dropped because nobody here was interested in them.
    unwanted,
    /// Events dropped because they had been here before.
    duplicates,
    /// Events whose id or signature was wrong.
    forged,
    /// Frames that were not what they should be: malformed, too long, or never asked for.
    garbage,
    /// Frames dropped because the queue for them was full.
    dropped,
    /// Events that had to wait because the inbox was full.
    stalled,
}

/// A counter that many tasks may raise.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(super) fn up(&self) {
        self.add(1);
    }

    /// That many more.
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
    /// When a notice last went into the log.
    notice_logged: Option<Instant>,
    pub(super) latency: Option<Duration>,
    /// When the ping that waits for its answer went out.
    pinged: Option<Instant>,
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

    /// It came to another state. Being ready clears the last error.
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

    /// Something went wrong. `true`: it is not what went wrong before.
    pub(super) fn failed(&self, error: LinkError) -> bool {
        let mut status = self.lock();
        let is_new = status.last_error.as_ref() != Some(&error);
        status.last_error = Some(error);
        is_new
    }

    /// It had something to say. `true`: that is for the log, where it may write now and then.
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

    /// It refused an event.
    pub(super) fn refused(&self, reason: &str) {
        self.tally.refused.up();
        self.lock().last_refusal = Some(reason.to_owned());
    }

    /// A ping went out.
    pub(super) fn pinged(&self) {
        self.lock().pinged = Some(Instant::now());
    }

    /// A pong came in; `false`: nobody waits for one, and it says nothing.
    pub(super) fn ponged(&self) -> bool {
        let mut status = self.lock();
        let pinged = status.pinged.take();
        if let Some(pinged) = pinged {
            status.latency = Some(pinged.elapsed());
        }
        pinged.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
