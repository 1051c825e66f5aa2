//! What goes wrong around the daemon: the disk, other processes, crowds that say nothing, relays that say too
//! much, and its own death at any moment. The built daemon, real files, sockets and signals.

mod flood;
mod store;
#[path = "../support/mod.rs"]
mod support;
