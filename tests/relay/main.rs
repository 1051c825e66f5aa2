//! The relay side against real sockets: what it must bear from relays, and what it must not lose.

mod asking;
mod bench;
mod doubts;
mod hostile;
mod publishing;
mod receiving;
mod strangers;
mod subscribing;
#[path = "../support/mod.rs"]
mod support;
