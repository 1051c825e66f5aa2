//! The second layer: sessions on top of wallet logins.

mod cli;
mod ends;
mod expired_subkeys;
mod first_layer;
mod forward;
mod layers;
mod login;
mod oauth;
mod operators;
mod sign_up;

use crate::support::daemon::{Daemon, Plan};
use crate::support::relay::TestRelay;

/// A daemon that keeps sessions, to be started.
pub(crate) fn with_sessions(relay: &TestRelay) -> Plan {
    Daemon::on(&[relay]).with_config(SESSIONS)
}

/// What turns them on.
pub(crate) const SESSIONS: &str = "[sessions]\nenabled = true\n";

/// A daemon that keeps sessions, subscribed at its relay.
pub(crate) async fn daemon(relay: &TestRelay) -> Daemon {
    with_sessions(relay).start_subscribed(&[relay]).await
}
