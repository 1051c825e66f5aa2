//! What goes wrong around the daemon: the disk, other processes, crowds that say nothing, relays that say too
//! much, and its own death at any moment. The built daemon, real files, sockets and signals.

mod crowd;
mod flood;
mod kills;
mod ledger;
mod logouts;
#[allow(dead_code, reason = "it has more moods than are needed here")]
#[path = "../webhooks/receiver.rs"]
mod receiver;
mod store;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
