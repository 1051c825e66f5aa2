//! The built daemon from outside: a process of its own, real sockets, real relays, wallets that behave
//! and wallets that do not.

mod hostile;
mod login;
#[path = "../support/mod.rs"]
mod support;
