//! The built daemon from outside: a process of its own, real sockets, real relays, wallets that behave
//! and wallets that do not.

mod batch;
mod bounds;
mod cli;
mod commands;
mod deadlines;
mod hints;
mod hostile;
mod identity;
mod local;
mod login;
mod lookups;
mod moved;
mod newcomers;
mod observe;
mod profile;
mod recovery;
mod reference;
mod relays;
mod revocations;
mod sessions;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod tokens;
mod told;
mod ui;
mod wallets;
mod web;
