//! The built daemon from outside: a process of its own, real sockets, real relays, wallets that behave
//! and wallets that do not.

mod batch;
mod deadlines;
mod hostile;
mod login;
mod recovery;
#[path = "../support/mod.rs"]
mod support;
