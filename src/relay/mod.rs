//! The Nostr side: events come in from relays, and go out to them.
//!
//! Relays are not trusted. nostr-sdk has the types of the protocol; the connections are made and kept here:
//!
//! **In:** `reach` makes each connection (`dial` resolves and checks addresses) → `wire` reads it at a `pace` → `tap`
//! sorts frames by their beginning, and asks the [`Gate`] about the authors of events → the `queue` of that relay,
//! in the order of `authors` → `inbound`'s workers read (`raw`), drop duplicates and verify, and have
//! [`Signal::Event`] handled: the same worker polls it to its end (`handling`), and takes other frames meanwhile.
//!
//! **Out:** [`Relays::publish`] → `outbox`, which knows what is open → a `lane` for each relay that is ready,
//! which knows what to send next → `link`.
//!
//! Useless input costs the relay that sends it: each relay has a `budget` of time (`shares` says how large),
//! and Portico stays away for a while (`pause`) from one that sends forged events. Genuine but useless events
//! cost their `senders`: `authors` knows how many each has sent, and `ration` limits what they use together.
//! Bytes that wait use up `room`.
//!
//! Each relay has a `link` from when it is added until it is removed. On each connection the link `listen`s:
//! it keeps the one `subscription` open, handles answers to published events (`refusal`) and reads notices
//! (`objection`). `fleet` is the set of links.
//!
//! Independent of that, [`check`] tests whether a relay is fit for logins.

mod ask;
mod authors;
mod backoff;
mod budget;
mod check;
mod cpu;
mod dial;
mod error;
mod fleet;
mod frame;
pub(crate) mod fuzzing;
mod handling;
mod health;
mod inbound;
mod lane;
mod link;
mod listen;
mod objection;
mod options;
mod outbox;
mod own;
mod pace;
mod pause;
mod plain;
mod preferred;
mod questions;
mod queue;
mod ration;
mod raw;
mod reach;
mod readiness;
mod refusal;
mod relays;
mod replaceable;
mod room;
mod seen;
mod senders;
mod shares;
mod signal;
mod subscription;
mod tap;
mod tasks;
mod waiting;
mod wire;

pub use ask::Outcome;
pub use check::{Checkup, Information, InformationError, Problem, check, profile_at, publish_to};
pub use error::{Instead, LinkError, RelayError, notice_text, stated};
pub use health::{Counters, Origin, RelayHealth, RelayState};
pub use options::{RelayChanges, RelayOptions, RelaySpec};
pub use outbox::Publication;
pub use own::NoAnswer;
pub use plain::is_plain;
pub use relays::Relays;
pub use replaceable::supersedes;
pub use signal::{Gate, Handler, Interest, Reservation, Signal};
