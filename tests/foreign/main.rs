//! Portico beside other people's software: nginx in front of an app, and the JOSE libraries of npm and PyPI.
//!
//! `cargo test` alone leaves this out; `.ci/run` installs what it takes and runs `cargo test --test foreign`.

mod app;
mod forged;
mod gateway;
mod libraries;
mod nginx;
#[path = "../support/mod.rs"]
mod support;
mod verifiers;

use support::daemon::{Daemon, Plan};
use support::relay::TestRelay;

/// A daemon that keeps sessions, to be started.
fn with_sessions(relay: &TestRelay, config: &str) -> Plan {
    Daemon::on(&[relay]).with_config(&format!("[sessions]\nenabled = true\n{config}"))
}
